import Foundation
import HTTPFetching
import RankwiseWire
import Testing

/// Tokens made, used up, expired and withdrawn over HTTP, across restarts.
@Suite struct TokenTests {
    private static let path = "/v1/federations/f"
    private static let settings = """
        {"id": "f", "base_model": {"name": "m"},
         "adapter": {"max_rank": 4, "modules": {"fc1": {"in": 2, "out": 3}}}, "round": {"total": 2, "min_updates": 1}}
        """

    private struct Tokens: Decodable { let tokens: [TokenBody] }

    private func withFolder(_ body: (String) async throws -> Void) async throws {
        let folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try await body(folder)
    }

    private func withServer(_ body: (LiveServer, HandMovedClock, _ admin: Caller) async throws -> Void) async throws {
        try await withFolder { folder in
            let clock = HandMovedClock()
            let server = try await LiveServer(folder: folder, clock: clock)
            let admin = try Caller(server, token: LiveServer.admin)
            #expect(try await admin.call(.post, "/v1/federations", body: Self.settings).status == 201)
            try await body(server, clock, admin)
            try await server.stop()
        }
    }

    private func issue(_ body: String, by admin: Caller) async throws -> TokenBody {
        let answer = try await admin.call(.post, Self.path + "/tokens", body: body)
        #expect(answer.status == 201)
        return try WireJSON.decode(TokenBody.self, from: Data(answer.body))
    }

    private static func clientToken(_ index: Int) -> String {
        let digits = String(index, radix: 16)
        return String(repeating: "0", count: 64 - digits.utf8.count) + digits
    }

    private func register(_ index: Int, by caller: Caller) async throws -> Int {
        try await caller.call(
            .put, Self.path + "/clients/c\(index)", body: #"{"rank": 2, "token": "\#(Self.clientToken(index))"}"#
        ).status
    }

    @Test func `a token is shown once, listed without its secret, and good until it is deleted`() async throws {
        try await withServer { server, clock, admin in
            clock.advance(seconds: 1)
            let made = try await issue(#"{"role": "reader"}"#, by: admin)
            let token = try #require(made.token)
            #expect(token.utf8.count == 43 && made.role == "reader" && made.usesLeft == nil && made.expiresAt == nil)
            let listing = try await admin.call(.get, Self.path + "/tokens")
            #expect(!String(decoding: listing.body, as: UTF8.self).contains(token))
            let listed = try WireJSON.decode(Tokens.self, from: Data(listing.body)).tokens
            #expect(listed.map(\.id) == ["enrolment", "reader", made.id])
            #expect(listed.allSatisfy { $0.token == nil })
            let reader = try Caller(server, token: token)
            #expect(try await reader.call(.get, Self.path).status == 200)
            #expect(try await admin.call(.delete, Self.path + "/tokens/" + made.id).status == 204)
            #expect(try await reader.refusal(.get, Self.path) == "401 auth.token")
            #expect(try await admin.refusal(.delete, Self.path + "/tokens/" + made.id) == "404 token.unknown")
        }
    }

    @Test func `of many clients that race for a token of one use, one gets it, and no restart gives another`()
        async throws
    {
        try await withFolder { folder in
            var server = try await LiveServer(folder: folder)
            var admin = try Caller(server, token: LiveServer.admin)
            _ = try await admin.call(.post, "/v1/federations", body: Self.settings)
            let token = try await issue(#"{"role": "enrolment", "uses": 1}"#, by: admin).token
            var enrolment = try Caller(server, token: token)
            let callers = enrolment
            let statuses = try await withThrowingTaskGroup(of: (Int, Int).self) { group in
                for index in 1...8 { group.addTask { (index, try await register(index, by: callers)) } }
                return try await group.reduce(into: [Int: Int]()) { $0[$1.0] = $1.1 }
            }
            let winners = statuses.filter { $0.value == 201 }.keys
            #expect(winners.count == 1 && statuses.values.count { $0 == 403 } == 7)
            try await server.stop()
            server = try await LiveServer(folder: folder)
            admin = try Caller(server, token: LiveServer.admin)
            enrolment = try Caller(server, token: token)
            #expect(
                try await enrolment.refusal(
                    .put, Self.path + "/clients/c9", body: #"{"rank": 2, "token": "\#(Self.clientToken(9))"}"#)
                    == "403 auth.spent")
            // The client whose answer was lost asks again, with the token that is spent by now.
            let winner = try #require(winners.first)
            #expect(try await register(winner, by: enrolment) == 200)
            #expect(try await admin.get(Tokens.self, Self.path + "/tokens").tokens.map(\.usesLeft) == [nil, nil, 0])
            try await server.stop()
        }
    }

    @Test func `a token ends with its time`() async throws {
        try await withServer { server, clock, admin in
            let until = "2999-12-31T23:30:00.5-00:30"
            #expect(
                try await issue(#"{"role": "reader", "expires_at": "\#(until)"}"#, by: admin).expiresAt
                    == "3000-01-01T00:00:00.500Z")
            let soon = "2027-01-15T09:00:00Z"
            let reader = try Caller(
                server, token: try await issue(#"{"role": "reader", "expires_at": "\#(soon)"}"#, by: admin).token)
            let enrolment = try Caller(
                server, token: try await issue(#"{"role": "enrolment", "expires_at": "\#(soon)"}"#, by: admin).token)
            #expect(try await reader.call(.get, Self.path).status == 200)
            #expect(try await register(1, by: enrolment) == 201)
            clock.advance(seconds: 3601)
            #expect(try await reader.refusal(.get, Self.path) == "401 auth.token")
            #expect(try await register(2, by: enrolment) == 401)
        }
    }

    @Test(arguments: [
        (#"{}"#, "422 body.invalid"), (#"{"role": "admin"}"#, "422 body.invalid"),
        (#"{"role": "client"}"#, "422 body.invalid"), (#"{"role": "reader", "uses": 1}"#, "422 settings.invalid"),
        (#"{"role": "enrolment", "uses": 0}"#, "422 settings.invalid"),
        (#"{"role": "enrolment", "uses": 1000001}"#, "422 settings.invalid"),
        (#"{"role": "reader", "expires_at": "2001-01-01T00:00:00Z"}"#, "422 settings.invalid"),
        (#"{"role": "reader", "expires_at": "tomorrow"}"#, "422 body.invalid"),
        (#"{"role": "reader", "expires_at": "2999-02-29T00:00:00Z"}"#, "422 body.invalid"),
        (#"{"role": "reader", "expires_at": "2999-01-01T00:00:00"}"#, "422 body.invalid"),
        (#"{"role": "reader", "expires_at": "2999-01-01T24:00:00Z"}"#, "422 body.invalid"),
        (#"{"role": "reader", "expires_at": "2999-01-01T00:00:00Z!"}"#, "422 body.invalid"),
        (#"{"role": "reader", "name": "x"}"#, "422 body.invalid"), ("", "400 body.invalid"),
    ])
    func `what cannot be asked of a token is refused`(_ body: String, _ expected: String) async throws {
        try await withServer { _, _, admin in
            let refusal = try await admin.refusal(.post, Self.path + "/tokens", body: body)
            #expect(refusal == expected)
            #expect(
                try await admin.refusal(.post, "/v1/federations/g/tokens", body: #"{"role": "reader"}"#)
                    == "404 federation.unknown")
        }
    }
}
