import Crypto
import Foundation
import ObjectStorage
import Testing

/// The signer against the signatures that AWS publishes.
@Suite struct SigV4Tests {
    struct Vector: Decodable, Sendable, CustomTestStringConvertible {
        let name: String
        let method: String
        let path: String
        let query: [[String]]
        let fields: [[String]]
        let body: String
        let signedHeaders: String
        let signature: String
        /// The SHA-256 of the canonical request, where it is published.
        let requestDigest: String?

        var testDescription: String { name }

        var request: SigV4.Request {
            SigV4.Request(
                method: method, path: URIEncoding.encode(path, keepsSlash: true), query: query.map { ($0[0], $0[1]) },
                fields: fields.map { ($0[0], $0[1]) }, payload: hex(SHA256.hash(data: Array(body.utf8))))
        }
    }

    struct Group: Decodable, Sendable {
        let accessKeyID: String
        let secretAccessKey: String
        let time: String
        let region: String
        let service: String
        let vectors: [Vector]

        func signer() throws -> SigV4 {
            SigV4(
                Credentials(accessKeyID: accessKeyID, secretAccessKey: secretAccessKey),
                at: try #require(CalendarTime(parsing: time)), region: region, service: service)
        }

        func scope() -> String { "\(accessKeyID)/\(time.prefix(8))/\(region)/\(service)/aws4_request" }
    }

    private struct Published: Decodable { let groups: [Group] }

    static func cases() throws -> [(Group, Vector)] {
        let url = try #require(Bundle.module.url(forResource: "Fixtures/sigv4", withExtension: "json"))
        let published = try JSONDecoder().decode(Published.self, from: Data(contentsOf: url))
        return published.groups.flatMap { group in group.vectors.map { (group, $0) } }
    }

    @Test func `the published vectors are there`() throws {
        #expect(try Self.cases().count == 26)
    }

    @Test(arguments: try SigV4Tests.cases())
    func `a published request gets its published signature`(group: Group, vector: Vector) throws {
        let signer = try group.signer()
        if let digest = vector.requestDigest {
            #expect(signer.stringToSign(for: vector.request).hasSuffix("\n\(digest)"))
        }
        #expect(
            signer.authorization(for: vector.request)
                == "AWS4-HMAC-SHA256 Credential=\(group.scope()), SignedHeaders=\(vector.signedHeaders), "
                + "Signature=\(vector.signature)")
    }

    @Test func `a parameter without a value is sent and signed with an equals sign`() {
        #expect(SigV4.canonicalQuery([("uploads", ""), ("a", "b c/+")]) == "a=b%20c%2F%2B&uploads=")
    }

    @Test func `names sort by their encoded bytes`() {
        #expect(SigV4.canonicalQuery([("a-b", "1"), ("a", "2"), ("B", "3"), ("é", "4")]) == "%C3%A9=4&B=3&a=2&a-b=1")
    }
}
