import Coordinator
import Federation
import Foundation
import HTTPFetching
import RankwiseWire
import Testing

/// The quota of update bytes against bodies that are on their way at the same time, over real sockets.
@Suite struct QuotaTests {
    private static let path = "/v1/federations/f"
    private static let update = path + "/rounds/1/update"
    private static let tokens = ["c": String(repeating: "cd", count: 32), "d": String(repeating: "ef", count: 32)]
    private static let settings = """
        {"id": "f", "base_model": {"name": "m"},
         "adapter": {"max_rank": 4, "modules": {"fc1": {"in": 2, "out": 3}}}, "round": {"total": 2, "min_updates": 3}}
        """

    private struct Fixture {
        let server: LiveServer
        let file: [UInt8]

        func caller(_ name: String) throws -> Caller { try Caller(server, token: tokens[name]) }

        func put(_ name: String) async throws -> FetchResponse {
            try await caller(name).call(.put, update + "?samples=1", bytes: file)
        }

        /// Begins a call of which the server has asked for the body, so it is taken.
        func begin(_ method: String, _ path: String, by name: String, _ fields: String...) async throws -> RawPeer {
            let peer = try RawPeer(server.url)
            let head =
                ["\(method) \(path)?samples=1 HTTP/1.1", "Host: h", "Authorization: Bearer \(tokens[name] ?? "")"]
                + ["Expect: 100-continue", "Connection: close"] + fields
            try await peer.send(Array((head.joined(separator: "\r\n") + "\r\n\r\n").utf8))
            #expect(try await peer.receive(through: "\r\n\r\n").hasPrefix("HTTP/1.1 100 "))
            return peer
        }

        func expectNoRoom(for name: String) async throws {
            let refused = try await put(name)
            #expect(refused.status == 507 && refused.fields["Retry-After"] != nil)
            #expect(try WireJSON.decode(Problem.self, from: Data(refused.body)).code == "federation.bytes")
        }

        /// Sends until there is room: the server learns in its own time that somebody else has left.
        func putUntilTaken(_ name: String) async throws -> Int {
            while true {
                let status = try await put(name).status
                if status != 507 { return status }
            }
        }
    }

    /// - Parameter quota: of bytes, given how long an update is.
    private func withServer(quota: (Int) -> Int, _ body: (Fixture) async throws -> Void) async throws {
        let folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var file: [UInt8] = []
        for isRehearsal in [true, false] {
            var quotas = Quotas()
            if !isRehearsal { quotas.updateBytes = quota(file.count) }
            let server = try await LiveServer(folder: folder, quotas: quotas)
            let admin = try Caller(server, token: LiveServer.admin)
            if isRehearsal {
                #expect(try await admin.call(.post, "/v1/federations", body: Self.settings).status == 201)
                let clients = Self.tokens.merging(["e": String(repeating: "ab", count: 32)]) { $1 }
                for (name, token) in clients {
                    let body = #"{"rank": 4, "token": "\#(token)"}"#
                    #expect(try await admin.call(.put, Self.path + "/clients/" + name, body: body).status == 201)
                }
                file = try await admin.call(.get, Self.path + "/adapter").body
            } else {
                try await body(Fixture(server: server, file: file))
            }
            try await server.stop()
        }
    }

    @Test func `a body on its way counts against the quota from its start, and once when it is here`() async throws {
        try await withServer(quota: { 2 * $0 - 1 }) { fixture in
            let peer = try await fixture.begin(
                "PUT", Self.update, by: "c", "Content-Length: \(fixture.file.count)")
            try await fixture.expectNoRoom(for: "d")
            try await peer.send(fixture.file)
            #expect(try await peer.receive().hasPrefix("HTTP/1.1 201 "))
            try await fixture.expectNoRoom(for: "d")
        }
        try await withServer(quota: { 2 * $0 }) { fixture in
            let peer = try await fixture.begin(
                "PUT", Self.update, by: "c", "Content-Length: \(fixture.file.count)")
            #expect(try await fixture.put("d").status == 201)
            try await peer.send(fixture.file)
            #expect(try await peer.receive().hasPrefix("HTTP/1.1 201 "))
        }
    }

    @Test func `a body that breaks off or is refused gives its room back`() async throws {
        try await withServer(quota: { _ in 1 }) { fixture in
            let broken = try await fixture.begin(
                "PUT", Self.update, by: "c", "Content-Length: \(fixture.file.count)")
            try await broken.send(Array(fixture.file.dropLast()))
            try await fixture.expectNoRoom(for: "d")
            broken.breakOff()
            #expect(try await fixture.putUntilTaken("d") == 201)
        }
        try await withServer(quota: { _ in 1 }) { fixture in
            let refused = try await fixture.caller("c").call(.put, Self.update + "?samples=1", bytes: [1, 2, 3])
            #expect(refused.status == 422)
            #expect(try await fixture.put("d").status == 201)
        }
    }

    @Test func `a client's second body counts beside its first`() async throws {
        try await withServer(quota: { _ in 1 }) { fixture in
            let peer = try await fixture.begin(
                "PUT", Self.update, by: "c", "Content-Length: \(fixture.file.count)")
            try await fixture.expectNoRoom(for: "c")
            try await peer.send(fixture.file)
            #expect(try await peer.receive().hasPrefix("HTTP/1.1 201 "))
            // What is here is acknowledged again, whatever the room.
            #expect(try await fixture.put("c").status == 200)
        }
    }

    @Test func `a chunked body counts as the longest that may come`() async throws {
        try await withServer(quota: { 2 * $0 }) { fixture in
            let limits = try await fixture.caller("c").call(.head, Self.update + "/upload").fields["Upload-Limit"]
            let longest = try #require(limits?.split(separator: ",").first?.split(separator: "=").last)
            #expect(try #require(Int(longest)) > fixture.file.count)
            let peer = try await fixture.begin("PUT", Self.update, by: "c", "Transfer-Encoding: chunked")
            try await fixture.expectNoRoom(for: "d")
            let size = String(fixture.file.count, radix: 16)
            try await peer.send(Array("\(size)\r\n".utf8) + fixture.file + Array("\r\n0\r\n\r\n".utf8))
            #expect(try await peer.receive().hasPrefix("HTTP/1.1 201 "))
            #expect(try await fixture.put("d").status == 201)
        }
    }

    @Test func `the last part of an upload counts with all that came before`() async throws {
        try await withServer(quota: { _ in 1 }) { fixture in
            let peer = try await fixture.begin(
                "PATCH", Self.update + "/upload", by: "c", "Content-Length: \(fixture.file.count)",
                "Content-Type: application/partial-upload", "Upload-Offset: 0", "Upload-Complete: ?1")
            try await fixture.expectNoRoom(for: "d")
            try await peer.send(Array(fixture.file.dropLast(3)))
            peer.breakOff()
            #expect(try await fixture.putUntilTaken("d") == 201)
            // The rest finds no room any more; what came stays.
            let offset = try await fixture.caller("c").call(.head, Self.update + "/upload").fields["Upload-Offset"]
            let rest = try await fixture.caller("c").call(
                .patch, Self.update + "/upload?samples=1", bytes: Array(fixture.file.suffix(3)),
                fields: [
                    HTTPField("Content-Type", "application/partial-upload"),
                    HTTPField("Upload-Offset", offset ?? ""), HTTPField("Upload-Complete", "?1"),
                ])
            #expect(rest.status == 507)
        }
    }
}
