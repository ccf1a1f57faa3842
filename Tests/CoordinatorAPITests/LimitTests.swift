import Coordinator
import Federation
import Foundation
import HTTPFetching
import RankwiseWire
import Testing

/// Rates and quotas over a real socket, with a clock that stands still unless a test moves it.
@Suite struct LimitTests {
    private static let path = "/v1/federations/f"
    private static let clientToken = String(repeating: "cd", count: 32)

    private static func settings(_ id: String) -> String {
        """
        {"id": "\(id)", "base_model": {"name": "m"},
         "adapter": {"max_rank": 4, "modules": {"fc1": {"in": 2, "out": 3}}}, "round": {"total": 2, "min_updates": 2}}
        """
    }

    private struct Fixture {
        let server: LiveServer
        let clock: HandMovedClock
        let admin: Caller
        let reader: Caller
        let client: Caller

        /// Bodies that the server has asked for, of which nothing comes.
        func bodies(_ count: Int, of token: String) async throws -> [RawPeer] {
            var peers: [RawPeer] = []
            for _ in 0..<count {
                let peer = try RawPeer(server.url)
                let head = """
                    PUT \(path)/rounds/1/update?samples=1 HTTP/1.1\r
                    Host: h\r
                    Authorization: Bearer \(token)\r
                    Expect: 100-continue\r
                    Content-Length: 50\r
                    \r

                    """
                try await peer.send(Array(head.utf8))
                #expect(try await peer.receive(through: "\r\n\r\n").hasPrefix("HTTP/1.1 100 "))
                peers.append(peer)
            }
            return peers
        }
    }

    private func withServer(
        _ limits: RateLimits = .unlimited, _ quotas: Quotas = Quotas(), _ body: (Fixture) async throws -> Void
    ) async throws {
        let folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let clock = HandMovedClock()
        let server = try await LiveServer(folder: folder, clock: clock, limits: limits, quotas: quotas)
        let admin = try Caller(server, token: LiveServer.admin)
        let created = try await admin.call(.post, "/v1/federations", body: Self.settings("f"))
        let tokens = try WireJSON.decode(CreatedFederationBody.self, from: Data(created.body))
        for (name, token) in [("c", Self.clientToken), ("d", String(repeating: "ef", count: 32))] {
            let body = #"{"rank": 4, "token": "\#(token)"}"#
            #expect(try await admin.call(.put, Self.path + "/clients/" + name, body: body).status == 201)
        }
        try await body(
            Fixture(
                server: server, clock: clock, admin: admin, reader: try Caller(server, token: tokens.readerToken),
                client: try Caller(server, token: Self.clientToken)))
        try await server.stop()
    }

    @Test func `a client that calls too often is told when to come back, and others are not`() async throws {
        var limits = RateLimits.unlimited
        limits.clientRequestsPerSecond = 0.25
        try await withServer(limits) { fixture in
            for _ in 0..<3 { #expect(try await fixture.client.call(.get, Self.path + "/plan").status == 200) }
            let refused = try await fixture.client.call(.get, Self.path + "/plan")
            #expect(refused.status == 429 && refused.fields["Retry-After"] == "2")
            let problem = try WireJSON.decode(Problem.self, from: Data(refused.body))
            #expect(problem.code == "rate.limited")
            #expect(try await fixture.reader.call(.get, Self.path).status == 200)
            fixture.clock.advance(seconds: 3)
            #expect(try await fixture.client.call(.get, Self.path + "/plan").status == 200)
        }
    }

    @Test func `an upload that is refused for its size was not read, and was not asked for`() async throws {
        var limits = RateLimits.unlimited
        limits.uploadBytesPerMinute = 600
        try await withServer(limits) { fixture in
            let update = Self.path + "/rounds/1/update?samples=1"
            let before = try await fixture.client.call(.put, update, body: String(repeating: "x", count: 900))
            #expect(before.status == 422)
            let head = """
                PUT \(update) HTTP/1.1\r
                Host: h\r
                Authorization: Bearer \(Self.clientToken)\r
                Expect: 100-continue\r
                Content-Length: 5\r
                \r

                """
            let answer = try await RawExchange.answer(to: head, at: fixture.server.url)
            #expect(answer.hasPrefix("HTTP/1.1 429 ") && !answer.contains("100 Continue"))
            #expect(answer.lowercased().contains("\r\nretry-after: 30\r\n"))
            fixture.clock.advance(seconds: 31)
            #expect(try await fixture.client.refusal(.put, update, body: "x") == "422 update.format")
        }
    }

    @Test func `an address without a good token is slowed, and good tokens from there are not`() async throws {
        var limits = RateLimits.unlimited
        limits.anonymousRequestsPerSecond = 1
        (limits.authFailures, limits.authBackoffSeconds) = (3, 60)
        try await withServer(limits) { fixture in
            let stranger = try Caller(fixture.server, token: "not-a-token-that-anybody-has-issued")
            let nobody = try Caller(fixture.server, token: nil)
            for _ in 0..<4 { #expect(try await stranger.refusal(.get, Self.path) == "401 auth.token") }
            let blocked = try await stranger.call(.get, Self.path)
            #expect(blocked.status == 429 && blocked.fields["Retry-After"] == "1")
            #expect(try await nobody.call(.get, "/v1/server").status == 200)
            for _ in 0..<5 { #expect(try await nobody.refusal(.get, Self.path) == "401 auth.token") }
            for path in ["/v1/server", Self.path] {
                #expect(try await nobody.refusal(.get, path) == "429 rate.limited")
            }
            // Whoever watches the service from there still finds it well.
            for path in ["/healthz", "/readyz"] {
                for _ in 0..<20 { #expect(try await nobody.call(.get, path).status == 200) }
            }
            for caller in [fixture.admin, fixture.reader, fixture.client] {
                #expect(try await caller.call(.get, Self.path).status == 200)
            }
            fixture.clock.advance(seconds: 2)
            #expect(try await nobody.call(.get, "/v1/server").status == 200)
        }
    }

    @Test func `strangers behind a trusted proxy are slowed one by one`() async throws {
        var limits = RateLimits.unlimited
        limits.anonymousRequestsPerSecond = 0.1
        try await withServer(limits) { fixture in
            let nobody = try Caller(fixture.server, token: nil)
            func status(of origin: String) async throws -> Int {
                try await nobody.call(.get, "/v1/server", fields: [HTTPField("X-Forwarded-For", origin)]).status
            }
            #expect(try await status(of: "203.0.113.1") == 200)
            #expect(try await status(of: "203.0.113.1") == 429)
            #expect(try await status(of: "198.51.100.7, 203.0.113.1") == 429)
            #expect(try await status(of: "203.0.113.2") == 200)
        }
    }

    @Test func `a client has so many requests under way, and others have theirs`() async throws {
        var limits = RateLimits.unlimited
        (limits.clientRequestsInFlight, limits.clientBodiesInFlight) = (3, 2)
        try await withServer(limits) { fixture in
            let bodies = try await fixture.bodies(2, of: Self.clientToken)
            let update = Self.path + "/rounds/1/update?samples=1"
            #expect(try await fixture.client.refusal(.put, update, body: "x") == "429 rate.limited")
            #expect(try await fixture.client.call(.get, Self.path + "/plan").status == 200)
            let other = try Caller(fixture.server, token: String(repeating: "ef", count: 32))
            #expect(try await other.refusal(.put, update, body: "x") == "422 update.format")
            withExtendedLifetime(bodies) {}
        }
    }

    @Test func `what a client has under way ends when it is revoked`() async throws {
        try await withServer { fixture in
            let bodies = try await fixture.bodies(8, of: Self.clientToken)
            #expect(try await fixture.admin.call(.delete, Self.path + "/clients/c").status == 204)
            for body in bodies { #expect(try await body.receive().isEmpty) }
            #expect(try await fixture.client.refusal(.get, Self.path + "/plan") == "403 client.revoked")
        }
    }

    @Test func `a server takes so many federations, and a round so many bytes`() async throws {
        var quotas = Quotas()
        (quotas.federations, quotas.updateBytes) = (2, 1)
        try await withServer(.unlimited, quotas) { fixture in
            #expect(
                try await fixture.admin.refusal(.post, "/v1/federations", body: Self.settings("f"))
                    == "409 federation.exists")
            #expect(try await fixture.admin.call(.post, "/v1/federations", body: Self.settings("g")).status == 201)
            #expect(
                try await fixture.admin.refusal(.post, "/v1/federations", body: Self.settings("h"))
                    == "409 server.federations")
            // The first update fits whatever the quota is.
            let adapter = try await fixture.client.call(.get, Self.path + "/adapter")
            let file = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
            defer { try? FileManager.default.removeItem(atPath: file) }
            try Data(adapter.body).write(to: URL(fileURLWithPath: file))
            let update = Self.path + "/rounds/1/update?samples=1"
            #expect(try await fixture.client.call(.put, update, file: file).status == 201)
            #expect(try await fixture.client.call(.put, update, file: file).status == 200)
            let other = try Caller(fixture.server, token: String(repeating: "ef", count: 32))
            let refused = try await other.call(.put, update, file: file)
            #expect(refused.status == 507 && refused.fields["Retry-After"] != nil)
            let problem = try WireJSON.decode(Problem.self, from: Data(refused.body))
            #expect(problem.code == "federation.bytes")
        }
    }
}
