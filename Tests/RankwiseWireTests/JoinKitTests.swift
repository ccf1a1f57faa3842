import Foundation
import RankwiseWire
import Testing

struct JoinKitTests {
    private static let text = """
        {"rankwise_kit": 1, "server": "https://h", "federation": "digits", "token": "abc", "token_id": "t1",
         "expires_at": "2027-01-01T00:00:00Z", "uses": 1, "ca": "PEM", "name": "edge-07", "default_rank": 8}
        """

    @Test func `a kit is read as it was written`() throws {
        let kit = try WireJSON.decodeStrictly(JoinKit.self, from: Data(Self.text.utf8))
        #expect(
            kit
                == JoinKit(
                    server: "https://h", federation: "digits", token: "abc", tokenID: "t1",
                    expiresAt: "2027-01-01T00:00:00Z", uses: 1, authority: "PEM", name: "edge-07", defaultRank: 8))
        #expect(try WireJSON.decodeStrictly(JoinKit.self, from: WireJSON.encode(kit, pretty: true)) == kit)
    }

    @Test(arguments: [
        ("\"uses\": 1", "\"colour\": 1", "colour is not a known key"),
        ("\"rankwise_kit\": 1", "\"rankwise_kit\": 2, \"x\": 1", "rankwise_kit is 2; this program reads version 1"),
        ("\"rankwise_kit\": 1, ", "", "rankwise_kit is missing"),
        ("\"token\": \"abc\", ", "", "token is missing"), ("\"abc\"", "\"a b\"", "token holds characters"),
        ("\"digits\"", "\"../x\"", "federation is '../x'"), ("\"edge-07\"", "\"Edge\"", "name is 'Edge'"),
        ("\"default_rank\": 8", "\"default_rank\": 0", "default_rank is 0; expected at least 1"),
    ])
    func `a kit of another form is refused by the key`(old: String, new: String, reason: String) throws {
        let text = Self.text.replacing(old, with: new)
        try #require(text != Self.text)
        let error = #expect(throws: WireError.self) {
            try WireJSON.decodeStrictly(JoinKit.self, from: Data(text.utf8))
        }
        #expect(error?.description.contains(reason) == true, "\(String(describing: error))")
    }

    @Test(arguments: [
        ("a", true), ("0.b_c-d", true), ("", false), ("-a", false), ("A", false), ("a/b", false), ("ä", false),
    ])
    func `names have one form`(text: String, isSound: Bool) {
        #expect(WireName.isSound(text) == isSound)
        #expect(
            WireName.isSound(String(repeating: "a", count: 64)) && !WireName.isSound(String(repeating: "a", count: 65)))
    }
}
