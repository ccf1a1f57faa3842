import Federation
import Foundation
import Testing

@Suite struct NamesTests {
    @Test(arguments: ["a", "0", "edge-07", "a.b_c-d", "a..", String(repeating: "x", count: 64)])
    func `a name of small letters, digits and marks is taken`(_ text: String) throws {
        #expect(try FederationID(text).rawValue == text)
        #expect(ClientName(rawValue: text)?.description == text)
    }

    @Test(arguments: [
        "", "A", "-a", ".a", "_a", "..", "a/b", "a b", "a\n", "a\0", "ä", "a%2e", "é", "٣",
        String(repeating: "x", count: 65),
    ])
    func `any other name is refused`(_ text: String) {
        let federation = #expect(throws: NameError.self) { try FederationID(text) }
        #expect(federation?.noun == "federation")
        let client = #expect(throws: NameError.self) { try ClientName(text) }
        #expect(client?.noun == "client")
        #expect(ClientName(rawValue: text) == nil)
    }

    @Test func `a long name is shown cut`() {
        let error = #expect(throws: NameError.self) { try ClientName(String(repeating: "x", count: 100_000)) }
        #expect(error?.found == String(repeating: "x", count: 80))
    }

    @Test func `names are in the order of their bytes`() throws {
        let names = try ["b", "a.", "a-", "a", "a0", "0"].map { try ClientName($0) }
        #expect(names.sorted().map(\.rawValue) == ["0", "a", "a-", "a.", "a0", "b"])
    }

    @Test func `a name is decoded only where it is one`() throws {
        let names = try JSONDecoder().decode([ClientName].self, from: Data(#"["edge-1"]"#.utf8))
        #expect(names == [try ClientName("edge-1")])
        #expect(throws: DecodingError.self) {
            try JSONDecoder().decode([ClientName].self, from: Data(#"["../edge"]"#.utf8))
        }
    }
}
