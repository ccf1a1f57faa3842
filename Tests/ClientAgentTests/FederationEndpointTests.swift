import ClientAgent
import HTTPFetching
import RankwiseWire
import Synchronization
import Testing

struct FederationEndpointTests {
    private func endpoint(_ url: String) throws -> FederationEndpoint {
        FederationEndpoint(server: url, federation: "digits", token: "secret", fetcher: try HTTPFetcher())
    }

    @Test(arguments: ["http://127.0.0.1:9/merge", "//127.0.0.1:9/merge", "merge", ""])
    func `a token follows no link to another host`(href: String) async throws {
        let folder = try TemporaryFolder()
        let peer = try LoopbackPeer { connection in connection.answer("200 OK") }
        defer { peer.stop() }
        let endpoint = try endpoint(peer.url)
        let error = try #require(
            await #expect(throws: CallError.self) {
                try await endpoint.download(href: href, to: folder.path("merge"), limit: 1000)
            })
        guard case .refused(let problem) = error else {
            Issue.record("expected a refusal, got \(error)")
            return
        }
        #expect(problem.code == "http.link")
        #expect(peer.accepted == 0)
    }

    @Test func `a link is followed on the server, whatever path the server has`() async throws {
        let folder = try TemporaryFolder()
        let seen = Mutex<PeerRequest?>(nil)
        let peer = try LoopbackPeer { connection in
            seen.withLock { $0 = connection.request() }
            connection.answer("200 OK", body: StubCoordinator.adapter(ofRound: "1"))
        }
        defer { peer.stop() }
        try await endpoint(peer.url + "/behind").download(href: "/v1/merge?x=1", to: folder.path("merge"), limit: 1000)
        #expect(seen.withLock { $0?.target } == "/v1/merge?x=1")
        #expect(seen.withLock { $0?.fields["authorization"] } == "Bearer secret")
        #expect(folder.bytes("merge") == StubCoordinator.adapter(ofRound: "1"))
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

    @Test(arguments: [
        (400, false), (404, false), (409, false), (422, false), (301, false), (308, false), (302, true), (408, true),
        (429, true), (500, true), (503, true), (507, true), (600, true),
    ])
    func `a status says whether to ask again`(status: Int, again: Bool) async throws {
        let peer = try LoopbackPeer { connection in
            guard connection.request() != nil else { return }
            connection.answer("\(status) Stub", ["Location: http://elsewhere/"], body: Array("<html>".utf8))
        }
        defer { peer.stop() }
        let error = try #require(await #expect(throws: CallError.self) { try await endpoint(peer.url).settings() })
        switch error {
        case .unavailable(let problem, nil): #expect(again && problem.code == "http.\(status)")
        case .refused(let problem): #expect(!again && problem.code == "http.\(status)")
        default: Issue.record("unexpected \(error)")
        }
    }

    @Test(
        arguments: [
            ("7", Duration.seconds(7)), ("0", .zero), ("-3", nil), ("soon", nil), ("99999999999", .seconds(86_400)),
            ("Wed, 21 Oct 2026 07:28:00 GMT", nil), ("9999999999999999999999", nil),
        ] as [(String, Duration?)])
    func `Retry-After is read in seconds`(value: String, expected: Duration?) async throws {
        let peer = try LoopbackPeer { connection in
            guard connection.request() != nil else { return }
            connection.answer("503 Stub", ["Retry-After: \(value)"])
        }
        defer { peer.stop() }
        let error = try #require(await #expect(throws: CallError.self) { try await endpoint(peer.url).settings() })
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
