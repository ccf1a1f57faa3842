import Crypto
import Foundation
import HTTPFetching
import RankwiseWire
import Testing

/// Updates that come in parts, over a real socket and a real folder, restarts included.
@Suite struct UploadTests {
    private static let token = String(repeating: "ab", count: 32)
    private static let settings = """
        {"id": "llama", "base_model": {"name": "tiny-llama"},
         "adapter": {"max_rank": 16, "scaling": {"mode": "lora", "alpha": 16}, "modules": {
           "model.layers.0.self_attn.q_proj": {"in": 64, "out": 64},
           "model.layers.0.self_attn.v_proj": {"in": 64, "out": 32},
           "model.layers.1.self_attn.q_proj": {"in": 64, "out": 64},
           "model.layers.1.self_attn.v_proj": {"in": 64, "out": 32}}},
         "round": {"total": 2, "min_updates": 2}}
        """
    private static let update = "/v1/federations/llama/rounds/1/update"
    private static let upload = update + "/upload"

    private let folder: String
    private let file: [UInt8]

    init() throws {
        folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        let path = try #require(
            Bundle.module.path(forResource: "llama_r16", ofType: "safetensors", inDirectory: "Fixtures"))
        file = Array(try #require(FileManager.default.contents(atPath: path)))
    }

    /// A server with the federation and one client, or one that goes on with what an earlier one left.
    private func serve() async throws -> (LiveServer, Caller) {
        let server = try await LiveServer(folder: folder)
        let admin = try Caller(server, token: LiveServer.admin)
        let created = try await admin.call(.post, "/v1/federations", body: Self.settings)
        if created.status == 201 {
            // The second one keeps the round open.
            for (name, token) in [("edge-1", Self.token), ("edge-2", String(repeating: "cd", count: 32))] {
                let answer = try await admin.call(
                    .put, "/v1/federations/llama/clients/\(name)", body: #"{"rank": 16, "token": "\#(token)"}"#)
                #expect(answer.status == 201)
            }
        }
        return (server, try Caller(server, token: Self.token))
    }

    private func withServer(_ body: (LiveServer, Caller) async throws -> Void) async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let (server, client) = try await serve()
        try await body(server, client)
        try await server.stop()
    }

    /// Appends bytes of the file; `last` says that they are the last.
    private func append(
        _ range: Range<Int>, of bytes: [UInt8]? = nil, last: Bool = false, query: String = "?samples=600",
        fields: [HTTPField] = [], _ client: Caller
    ) async throws -> FetchResponse {
        try await client.call(
            .patch, Self.upload + (last ? query : ""), bytes: Array((bytes ?? file)[range]),
            fields: [
                HTTPField("Content-Type", "application/partial-upload"),
                HTTPField("Upload-Offset", "\(range.lowerBound)"), HTTPField("Upload-Complete", last ? "?1" : "?0"),
            ] + fields)
    }

    private func code(_ response: FetchResponse) throws -> String {
        "\(response.status) \(try WireJSON.decode(Problem.self, from: Data(response.body)).code)"
    }

    /// Offset and completeness, as a HEAD tells them.
    private func state(_ client: Caller) async throws -> String {
        let response = try await client.call(.head, Self.upload)
        #expect(response.status == 204)
        #expect(response.fields["Cache-Control"] == "no-store")
        return "\(response.fields["Upload-Offset"] ?? "-") \(response.fields["Upload-Complete"] ?? "-")"
    }

    private var uploads: [String] {
        get throws { try FileManager.default.contentsOfDirectory(atPath: folder + "/uploads") }
    }

    private func digest(of bytes: [UInt8]) -> String {
        "sha-256=:\(Data(SHA256.hash(data: bytes)).base64EncodedString()):"
    }

    @Test func `an update comes in three parts, and over a restart of the server`() async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var (server, client) = try await serve()
        #expect(try await state(client) == "0 ?0")
        let first = try await append(0..<1000, fields: [HTTPField("Upload-Length", "\(file.count)")], client)
        #expect(first.status == 204 && first.fields["Upload-Complete"] == "?0")
        #expect(try await state(client) == "1000 ?0")
        try await server.stop()
        (server, client) = try await serve()
        let head = try await client.call(.head, Self.upload)
        #expect(head.fields["Upload-Offset"] == "1000" && head.fields["Upload-Length"] == "\(file.count)")
        let limit = try #require(head.fields["Upload-Limit"])
        #expect(limit.hasPrefix("max-size=") && limit.contains(", max-age=86"))
        #expect(try await append(1000..<20_000, client).status == 204)
        let last = try await append(
            20_000..<file.count, last: true, fields: [HTTPField("Repr-Digest", digest(of: file))], client)
        #expect(last.status == 201 && last.fields["Upload-Complete"] == "?1")
        let receipt = try WireJSON.decode(ReceiptBody.self, from: Data(last.body))
        #expect(receipt.rank == 16 && receipt.samples == 600 && receipt.received == 1)
        #expect(try await state(client) == "\(file.count) ?1")
        #expect(try uploads.isEmpty)
        let again = try await client.call(.get, Self.update)
        #expect(try WireJSON.decode(ReceiptBody.self, from: Data(again.body)) == receipt)
        try await server.stop()
    }

    @Test func `the same bytes again are acknowledged again, other bytes are a conflict`() async throws {
        try await withServer { _, client in
            #expect(try await append(0..<file.count, last: true, client).status == 201)
            #expect(try await append(0..<file.count, last: true, client).status == 200)
            let empty = try await append(file.count..<file.count, last: true, client)
            #expect(empty.status == 200 && empty.fields["Upload-Complete"] == "?1")
            let otherSamples = try await append(file.count..<file.count, last: true, query: "?samples=5", client)
            #expect(try code(otherSamples) == "409 update.exists")
            var other = file
            other[other.count - 1] ^= 1
            let refused = try await append(0..<other.count, of: other, last: true, client)
            #expect(try code(refused) == "409 update.exists" && refused.fields["Upload-Complete"] == "?1")
            let middle = try await append(5..<10, client)
            #expect(try code(middle) == "409 upload.offset")
            #expect(middle.fields["Upload-Offset"] == "\(file.count)" && middle.fields["Upload-Complete"] == "?1")
            #expect(try uploads.isEmpty)
        }
    }

    @Test func `an offset that does not continue what is there is answered with the right one`() async throws {
        try await withServer { _, client in
            #expect(try await append(0..<100, client).status == 204)
            for start in [0, 99, 101] {
                let answer = try await append(start..<200, client)
                #expect(try code(answer) == "409 upload.offset")
                #expect(answer.fields["Upload-Offset"] == "100" && answer.fields["Upload-Complete"] == "?0")
                #expect(
                    try WireJSON.decode(Problem.self, from: Data(answer.body)).type
                        == "https://iana.org/assignments/http-problem-types#mismatching-upload-offset")
            }
            #expect(try await state(client) == "100 ?0")
        }
    }

    @Test func `digest fields are read as RFC 9530 says, and codings and odd offsets are refused`() async throws {
        try await withServer { _, client in
            func digest(_ bytes: [UInt8]) -> String {
                "sha-256=:\(Data(SHA256.hash(data: bytes)).base64EncodedString()):"
            }
            let (good, bad) = (digest(file), digest([1]))
            func put(_ fields: (name: String, value: String)...) async throws -> String {
                let answer = try await client.call(
                    .put, Self.update + "?samples=600", bytes: file,
                    fields: fields.map { HTTPField($0.name, $0.value) })
                return answer.status < 300 ? "\(answer.status)" : try code(answer)
            }
            #expect(try await put(("Content-Encoding", "gzip")) == "415 request.type")
            #expect(try await put(("Repr-Digest", bad)) == "400 update.digest")
            #expect(try await put(("Content-Digest", good), ("Repr-Digest", bad)) == "400 request.argument")
            #expect(try await put(("Content-Digest", "sha-256=:AAAA:")) == "400 request.argument")
            for malformed in [
                "=", "\(good),", "SHA-256=:AAAA:", "\(good) x", "(", "sha-512=:AA", "sha-256", "sha-256=1",
            ] {
                #expect(try await put(("Content-Digest", malformed)) == "400 request.argument", "\(malformed)")
            }
            let many = (0..<400).map { "k\($0)" }.joined(separator: ",")
            #expect(try await put(("Content-Digest", "\(good), \(many)")) == "400 request.argument")
            #expect(try await put(("Content-Digest", "\(good), \(bad)")) == "400 update.digest")
            #expect(try await put(("Content-Digest", "\(bad), sha-512=:AAAA:, \(good);q=1")) == "201")
            #expect(try await put(("Content-Digest", "crc32c=:AAAA:"), ("Content-Encoding", "identity")) == "200")
            let adapter = try await client.call(.get, "/v1/federations/llama/rounds/0/adapter?rank=16")
            #expect(adapter.fields["Cache-Control"] == "private")
        }
    }

    @Test(arguments: ["1 .23", "1;", "1;x=2", "01 2", "-1", "1.0"])
    func `an offset that is no whole number is none`(offset: String) async throws {
        try await withServer { _, client in
            let answer = try await client.call(
                .patch, Self.upload, bytes: Array(file[0..<10]),
                fields: [
                    HTTPField("Content-Type", "application/partial-upload"), HTTPField("Upload-Offset", offset),
                    HTTPField("Upload-Complete", "?0"),
                ])
            #expect(answer.status == (offset == "1;x=2" ? 409 : 400))
        }
    }

    @Test func `lengths that contradict each other are refused`() async throws {
        try await withServer { _, client in
            func length(_ count: Int) -> HTTPField { HTTPField("Upload-Length", "\(count)") }
            #expect(try await code(append(0..<100, fields: [length(99)], client)) == "400 upload.length")
            #expect(try await code(append(0..<100, last: true, fields: [length(101)], client)) == "400 upload.length")
            #expect(try await append(0..<100, fields: [length(200)], client).status == 204)
            #expect(try await code(append(100..<110, fields: [length(300)], client)) == "400 upload.length")
            #expect(try await code(append(100..<201, client)) == "400 upload.length")
            #expect(try await code(append(100..<150, last: true, client)) == "400 upload.length")
            #expect(try await state(client) == "100 ?0")
            #expect(try await client.call(.delete, Self.upload).status == 204)
            let long = try await append(0..<1, fields: [length(1 << 40)], client)
            #expect(try code(long) == "413 upload.too_large")
            #expect(long.fields["Upload-Limit"]?.hasPrefix("max-size=") == true)
            #expect(try uploads.isEmpty)
        }
    }

    @Test func `what is not a part of an upload is refused by name`() async throws {
        try await withServer { server, client in
            let type = HTTPField("Content-Type", "application/partial-upload")
            let (offset, complete) = (HTTPField("Upload-Offset", "0"), HTTPField("Upload-Complete", "?0"))
            let cases: [([HTTPField], String)] = [
                ([HTTPField("Content-Type", "application/octet-stream"), offset, complete], "415 request.type"),
                ([type, complete], "400 request.argument"),
                ([type, offset], "400 request.argument"),
                ([type, HTTPField("Upload-Offset", "-1"), complete], "400 request.argument"),
                ([type, HTTPField("Upload-Offset", "1234567890123456"), complete], "400 request.argument"),
                ([type, HTTPField("Upload-Offset", "0, 0"), complete], "400 request.argument"),
                ([type, HTTPField("Upload-Offset", "0;"), complete], "400 request.argument"),
                ([type, HTTPField("Upload-Offset", "0.0"), complete], "400 request.argument"),
                ([type, HTTPField("Upload-Offset", "\"0\""), complete], "400 request.argument"),
                ([type, offset, HTTPField("Upload-Complete", "1")], "400 request.argument"),
                ([type, offset, HTTPField("Upload-Complete", "?1")], "400 request.argument"),
                ([type, offset, complete, HTTPField("Content-Digest", "sha-256=:AA==:")], "400 request.argument"),
            ]
            for (fields, expected) in cases {
                let answer = try await client.call(.patch, Self.upload, body: "x", fields: fields)
                #expect(try code(answer) == expected, "\(fields)")
            }
            for method in [FetchRequest.Method.patch, .delete] {
                let stranger = try Caller(server, token: LiveServer.admin)
                let answer = try await stranger.call(method, Self.upload, body: "x", fields: [type, offset, complete])
                #expect(try code(answer) == "403 auth.role")
            }
            let options = try await client.call(.head, Self.upload + "?x=1")
            #expect(options.status == 400)
            #expect(try uploads.isEmpty)
        }
    }

    @Test func `digests are checked, of a part and of the whole`() async throws {
        try await withServer { _, client in
            let wrong = HTTPField("Content-Digest", digest(of: [1]))
            let put = try await client.call(.put, Self.update + "?samples=600", bytes: file, fields: [wrong])
            #expect(try code(put) == "400 update.digest")
            let right = HTTPField("Content-Digest", digest(of: Array(file[..<100])))
            #expect(try await append(0..<100, fields: [right], client).status == 204)
            let part = try await append(100..<200, fields: [wrong], client)
            #expect(try code(part) == "400 update.digest" && part.fields["Upload-Offset"] == "100")
            #expect(try await state(client) == "100 ?0")
            let whole = try await append(
                100..<file.count, last: true, fields: [HTTPField("Repr-Digest", digest(of: [1]))], client)
            #expect(try code(whole) == "400 update.digest" && whole.fields["Upload-Complete"] == "?1")
            // What was damaged on the way is of no use.
            #expect(try await state(client) == "0 ?0")
        }
    }

    @Test func `a damaged part does not count after a restart either, and the upload goes on`() async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var (server, client) = try await serve()
        let right = HTTPField("Content-Digest", digest(of: Array(file[..<100])))
        #expect(try await append(0..<100, fields: [right], client).status == 204)
        let wrong = HTTPField("Content-Digest", digest(of: [1]))
        #expect(try await code(append(100..<200, fields: [wrong], client)) == "400 update.digest")
        #expect(try uploads == ["llama~1~edge-1~~100"])
        try await server.stop()
        (server, client) = try await serve()
        #expect(try await state(client) == "100 ?0")
        let last = try await append(
            100..<file.count, last: true, fields: [HTTPField("Repr-Digest", digest(of: file))], client)
        #expect(last.status == 201)
        #expect(try uploads.isEmpty)
        try await server.stop()
    }

    @Test func `while bytes with a digest come, the file's name says how many are sure`() async throws {
        try await withServer { server, client in
            #expect(try await append(0..<100, client).status == 204)
            let peer = try RawPeer(server.url)
            let head = """
                PATCH \(Self.upload) HTTP/1.1\r
                Host: h\r
                Authorization: Bearer \(Self.token)\r
                Content-Type: application/partial-upload\r
                Upload-Offset: 100\r
                Upload-Complete: ?0\r
                Content-Digest: \(digest(of: Array(file[100..<300])))\r
                Content-Length: 200\r
                Expect: 100-continue\r
                \r

                """
            try await peer.send(Array(head.utf8))
            #expect(try await peer.receive(through: "\r\n\r\n").hasPrefix("HTTP/1.1 100 "))
            #expect(try uploads == ["llama~1~edge-1~~100"])
            try await peer.send(Array(file[100..<150]))
            // The client has come back: what came of the part that it gave up stays.
            let offset = try await client.call(.head, Self.upload).fields["Upload-Offset"].flatMap { Int($0) }
            #expect((100...150).contains(try #require(offset)))
            #expect(try uploads == ["llama~1~edge-1~"] || offset == 100)
            withExtendedLifetime(peer) {}
        }
    }

    @Test func `an unsound update is refused at its end, stands on the round and can be sent anew`() async throws {
        try await withServer { _, client in
            var bad = file
            for index in 0..<4 { bad[bad.count - 1 - index] = 0xff }
            #expect(try await append(0..<5000, of: bad, client).status == 204)
            let answer = try await append(5000..<bad.count, of: bad, last: true, client)
            #expect(try code(answer) == "422 update.not_finite" && answer.fields["Upload-Complete"] == "?1")
            let round = try await client.get(RoundBody.self, "/v1/federations/llama/rounds/1")
            #expect(round.refusals.map(\.code) == ["update.not_finite"])
            #expect(try await state(client) == "0 ?0")
            #expect(try await append(0..<file.count, last: true, client).status == 201)
        }
    }

    @Test func `an upload is cancelled, and dropped when its round has the update`() async throws {
        try await withServer { _, client in
            let first = try await append(0..<100, client)
            #expect(first.status == 204)
            let cancelled = try await client.call(.delete, Self.upload)
            #expect(cancelled.status == 204)
            #expect(try await state(client) == "0 ?0")
            let second = try await append(0..<50, client)
            #expect(second.status == 204)
            #expect(try uploads == ["llama~1~edge-1~"])
            #expect(try await client.call(.put, Self.update + "?samples=600", bytes: file).status == 201)
            #expect(try await state(client) == "\(file.count) ?1")
            #expect(try await code(append(50..<100, client)) == "409 upload.offset")
            #expect(try uploads.isEmpty)
        }
    }
}
