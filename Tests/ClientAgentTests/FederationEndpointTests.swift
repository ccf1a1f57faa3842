import ClientAgent
import HTTPFetching
import RankwiseWire
import ServerCalls
import Synchronization
import TestStage
import Testing

struct FederationEndpointTests {
    private func endpoint(_ url: String) throws -> FederationEndpoint {
        FederationEndpoint(server: url, federation: "digits", token: "secret", fetcher: try HTTPFetcher())
    }

    @Test(arguments: ["", "/", "/behind", "/behind/a/proxy//"])
    func `every URL is made below the address that the user gave`(prefix: String) async throws {
        let folder = try TemporaryFolder()
        let seen = Mutex<[PeerRequest]>([])
        let peer = try LoopbackPeer { connection in
            while let request = connection.request() {
                seen.withLock { $0.append(request) }
                let isFile = request.path.hasSuffix("/merge") || request.path.hasSuffix("/adapter")
                // A link that an answer holds is nobody's order.
                connection.answer(
                    isFile ? "200 OK" : "404 No", ["Location: http://127.0.0.1:9/v1/"],
                    body: isFile ? StubCoordinator.adapter(ofRound: "1") : [])
            }
        }
        defer { peer.stop() }
        let endpoint = try endpoint(peer.url + prefix)
        let path = folder.path("file")
        try await endpoint.downloadMerge(round: 3, since: 1, to: path, limit: 1000)
        #expect(folder.bytes("file") == StubCoordinator.adapter(ofRound: "1"))
        _ = try? await endpoint.downloadAdapter(round: 2, cut: "rank=4", to: path, limit: 1000)
        _ = try? await endpoint.settings()
        _ = try? await endpoint.plan(after: 1, wait: .seconds(2))
        _ = try? await endpoint.uploadState(round: 1)
        let base = String(prefix.reversed().drop { $0 == "/" }.reversed()) + "/v1/federations/digits"
        let requests = seen.withLock { $0 }
        #expect(
            requests.map(\.target)
                == [
                    "/rounds/3/merge?since=1", "/rounds/2/adapter?rank=4", "", "/plan?after=1&wait=2",
                    "/rounds/1/update/upload",
                ].map { base + $0 })
        #expect(requests.allSatisfy { $0.fields["authorization"] == "Bearer secret" })
    }

    @Test func `a poll that brought nothing is nil`() async throws {
        let seen = Mutex<PeerRequest?>(nil)
        let peer = try LoopbackPeer { connection in
            seen.withLock { $0 = connection.request() }
            connection.answer("204 No Content")
        }
        defer { peer.stop() }
        let round = try await endpoint(peer.url).currentRound(after: 41, wait: .seconds(50))
        #expect(round == nil)
        #expect(seen.withLock { $0?.target } == "/v1/federations/digits/rounds/current?after=41&wait=50")
    }

    /// What the settings are answered with.
    private func error(_ answer: StubCoordinator.Answer) async throws -> CallError {
        let peer = try LoopbackPeer { connection in
            guard connection.request() != nil else { return }
            connection.answer("\(answer.status) Stub", answer.fields, body: answer.body)
        }
        defer { peer.stop() }
        return try #require(await #expect(throws: CallError.self) { try await endpoint(peer.url).settings() })
    }

    @Test(arguments: [
        (400, false), (401, false), (404, false), (409, false), (422, false), (408, true), (429, true), (500, true),
        (503, true), (507, true), (600, true),
    ])
    func `the status of a problem says whether to ask again`(status: Int, again: Bool) async throws {
        switch try await error(.problem(status, "some.code")) {
        case .unavailable(let problem, nil): #expect(again && problem.code == "some.code")
        case .refused(let problem): #expect(!again && problem.code == "some.code")
        case let error: Issue.record("unexpected \(error)")
        }
    }

    @Test(arguments: [200, 201, 204, 301, 302, 308, 400, 401, 403, 404, 409, 413, 421, 451, 500, 503, 504])
    func `what is no problem of ours is somebody else's answer, and asked again`(status: Int) async throws {
        let problem = StubCoordinator.Answer.problem(404, "x")
        for (fields, body) in [
            (["Content-Type: text/html", "Server: nginx/1.22.1"], Array("<html>".utf8)),
            // Ours has a code and says the same status.
            (["Content-Type: application/problem+json"], Array(#"{"title":"No","status":\#(status)}"#.utf8)),
            (["Content-Type: text/html"], problem.body),
            (problem.fields, status == 404 ? [] : problem.body),
        ] {
            let error = try await error(.init(status: status, fields: fields, body: status == 204 ? [] : body))
            guard case .foreign(let answer) = error else {
                Issue.record("unexpected \(error)")
                continue
            }
            #expect(answer.status == status && error.isWorthRetrying)
            let author = fields.count == 2 ? " (nginx/1.22.1)" : ""
            let words = "\(error)"
            #expect(words.hasPrefix("something at http://127.0.0.1:"))
            #expect(
                words.contains("/v1/federations/digits that is not Rankwise\(author) answered \(status)"), "\(words)")
        }
    }

    @Test func `what somebody else says is printed without its control characters`() async throws {
        let answer = StubCoordinator.Answer(status: 302, fields: ["Location: http://a/\u{1B}[2J", "Server: \u{9B}31m"])
        let words = "\(try await error(answer))"
        #expect(words.hasSuffix("answered 302: it points to http://a/ [2J"))
        #expect(words.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control })
    }

    @Test func `a stranger cannot send a client away for long`() async throws {
        let error = try await error(.init(status: 503, fields: ["Retry-After: 86400"]))
        guard case .foreign(let answer) = error else {
            Issue.record("unexpected \(error)")
            return
        }
        #expect(answer.retryAfter == .seconds(300))
    }

    @Test(
        arguments: [
            ("7", Duration.seconds(7)), ("0", .zero), ("-3", nil), ("soon", nil), ("99999999999", .seconds(86_400)),
            ("Wed, 21 Oct 2026 07:28:00 GMT", nil), ("9999999999999999999999", nil),
        ] as [(String, Duration?)])
    func `Retry-After is read in seconds`(value: String, expected: Duration?) async throws {
        var answer = StubCoordinator.Answer.problem(503, "server.busy")
        answer.fields.append("Retry-After: \(value)")
        let error = try await error(answer)
        guard case .unavailable(_, expected) = error else {
            Issue.record("unexpected \(error)")
            return
        }
    }

    @Test func `what a server says is printed without its control characters`() {
        let problem = Problem(title: "No", status: 422, code: "x", detail: "red \u{1B}[31m\nline")
        #expect(problem.summary == "red  [31m line (422 x)")
    }
}
