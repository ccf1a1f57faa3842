import Federation
import Foundation
import Testing

@Suite struct ContentDigestTests {
    private let hex = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1efF"

    @Test func `a digest is read from hexadecimal, with or without its scheme, in either case`() throws {
        let digest = try #require(ContentDigest(hex: hex))
        #expect(digest.bytes == Array(0...30) + [255])
        #expect(digest.hex == hex.lowercased())
        #expect(digest.description == "sha256:" + hex.lowercased())
        #expect(ContentDigest(hex: "sha256:" + hex) == digest)
        #expect(ContentDigest(hex: ("x" + hex).dropFirst()) == digest)
    }

    @Test func `what is no digest is none`() {
        let long = hex + "00"
        let short = String(hex.dropLast())
        for text in [
            "", "sha256:", short, long, "md5:" + hex, "sha256:sha256:" + hex, short + "g", short + "é",
            "é" + hex.dropFirst(2),
        ] {
            #expect(ContentDigest(hex: text) == nil, "\(text)")
        }
        #expect(ContentDigest(bytes: []) == nil)
        #expect(ContentDigest(bytes: [UInt8](repeating: 0, count: 31)) == nil)
        #expect(ContentDigest(bytes: [UInt8](repeating: 0, count: 33)) == nil)
    }

    @Test func `digests match only where every byte does`() throws {
        let digest = try #require(ContentDigest(hex: hex))
        #expect(digest.matches(digest))
        for index in 0..<32 {
            var bytes = digest.bytes
            bytes[index] ^= 1
            #expect(!digest.matches(try #require(ContentDigest(bytes: bytes))))
        }
    }

    @Test func `a digest is encoded as its text`() throws {
        let digest = try #require(ContentDigest(hex: hex))
        let data = try JSONEncoder().encode([digest])
        #expect(String(decoding: data, as: UTF8.self) == "[\"sha256:\(hex.lowercased())\"]")
        #expect(try JSONDecoder().decode([ContentDigest].self, from: data) == [digest])
    }

    @Test(arguments: [#"[""]"#, #"["sha256:00"]"#, #"[{"bytes":[]}]"#, "[7]", "[null]"])
    func `what is no digest is not decoded as one`(_ json: String) {
        #expect(throws: DecodingError.self) {
            try JSONDecoder().decode([ContentDigest].self, from: Data(json.utf8))
        }
    }
}
