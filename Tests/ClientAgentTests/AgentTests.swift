import ClientAgent
import Foundation
import HTTPFetching
import RankwiseWire
import ServerCalls
import Synchronization
import TestStage
import Testing
import Training

/// The agent's loop against a stub of the server over real sockets.
struct AgentTests {
    private var fixture: AgentFixture

    init() throws { fixture = try AgentFixture() }

    private func mode(_ name: String) throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(atPath: "\(fixture.statePath)/\(name)")
        return (attributes[.posixPermissions] as? Int ?? 0) & 0o777
    }

    /// What the trainer makes of an adapter.
    private func upload(of round: String, count: Int) -> [UInt8] {
        StubCoordinator.adapter(ofRound: round) + Array(" trained \(count)".utf8)
    }

    private func refusal(_ agent: Agent) async throws -> Problem {
        let error = try #require(await #expect(throws: AgentError.self) { try await agent.run() })
        guard case .refused(let problem) = error else {
            Issue.record("expected a refusal, got \(error)")
            throw error
        }
        return problem
    }

    @Test func `an agent registers, trains every round and ends with the federation`() async throws {
        let outcome = try await fixture.agent().run()
        #expect(outcome == .federationFinished)
        let state = fixture.stub.state.withLock { $0 }
        #expect(state.enrolments == [StubCoordinator.enrolment])
        #expect(state.registrations.map(\.rank) == [4])
        #expect(
            state.registrations.map(\.capabilities) == [
                ["cpu": .string("test"), "message_bits": .array([.integer(8), .integer(4)])]
            ])
        #expect(state.uploads.map(\.round) == [1, 2, 3])
        #expect(state.uploads.first?.query == ["samples": "9", "loss": "0.5", "accuracy": "0.75"])
        #expect(
            state.uploads.map(\.bytes) == [
                upload(of: "0", count: 1), upload(of: "1", count: 2), upload(of: "2", count: 3),
            ])
    }

    @Test func `a token of 32 random bytes is on disk, for its owner alone, before the server hears of it`()
        async throws
    {
        let path = fixture.statePath
        let kept = Mutex<String?>(nil)
        fixture.script { request, _ in
            if request.path.hasSuffix("/clients/edge-1") {
                kept.withLock { $0 = try? String(contentsOfFile: path + "/identity.json", encoding: .utf8) }
            }
            return nil
        }
        _ = try await fixture.agent(rounds: 1).run()
        let token = try #require(fixture.stub.state.withLock { $0.registrations.first?.token })
        #expect(token.count == 64)
        #expect(token.allSatisfy { $0.isHexDigit })
        #expect(kept.withLock { $0?.contains(token) } == true)
        #expect(try mode("identity.json") == 0o600)
        #expect(try mode("") == 0o700)
    }

    @Test func `two clients make two tokens`() {
        let tokens = (0..<2).map { _ in AgentIdentity(server: "", federation: "", client: "").token }
        #expect(tokens[0] != tokens[1])
    }

    @Test func `a restart goes on as the same client and trains no round twice`() async throws {
        #expect(try await fixture.agent(rounds: 2).run() == .trained(rounds: 2))
        // Even where the last round collects still.
        fixture.stub.state.withLock { $0.round = 2 }
        fixture.script { request, state in
            guard request.path.hasSuffix("/plan"), state.round == 2 else { return nil }
            defer { state.publish() }
            let plan = StubCoordinator.plan("edge-1", state)
            return .json(200, plan.replacingOccurrences(of: #""answered":false"#, with: #""answered":true"#))
        }
        #expect(try await fixture.agent(enrolment: nil).run() == .federationFinished)
        #expect(fixture.trainer.rounds.withLock { $0 } == [1, 2, 3])
        #expect(fixture.stub.state.withLock { $0.registrations.count } == 1)
    }

    @Test func `capabilities that the server must know are told at every start`() async throws {
        for rounds in [1, 2] {
            _ = try await fixture.agent(rounds: 1, registersAnew: true).run()
            #expect(fixture.stub.state.withLock { $0.registrations.count } == rounds)
        }
        let tokens = fixture.stub.state.withLock { $0.registrations.map(\.token) }
        #expect(tokens[0] == tokens[1])
    }

    @Test func `an update that was not acknowledged is sent again, not trained again`() async throws {
        fixture.script { request, _ in request.method == "PUT" && request.path.hasSuffix("/update") ? .silence : nil }
        await #expect(throws: AgentError.self) { try await fixture.agent(persistence: .seconds(5)).run() }
        #expect(fixture.stub.state.withLock { $0.uploads } == [])
        fixture.stub.state.withLock { $0.script = nil }
        #expect(try await fixture.agent(rounds: 1).run() == .trained(rounds: 1))
        #expect(fixture.trainer.rounds.withLock { $0 } == [1])
        #expect(fixture.stub.state.withLock { $0.uploads.map(\.bytes) } == [upload(of: "0", count: 1)])
    }

    @Test func `an unacknowledged update whose file is gone is trained again`() async throws {
        fixture.script { request, _ in request.method == "PUT" && request.path.hasSuffix("/update") ? .silence : nil }
        await #expect(throws: AgentError.self) { try await fixture.agent(persistence: .seconds(5)).run() }
        fixture.stub.state.withLock { $0.script = nil }
        try FileManager.default.removeItem(atPath: fixture.statePath + "/rounds")
        _ = try await fixture.agent(rounds: 1).run()
        #expect(fixture.trainer.rounds.withLock { $0 } == [1, 1])
    }

    @Test(arguments: ["round.closed", "round.not_selected", "code.of.tomorrow"])
    func `a client that comes too late goes on with the next round`(code: String) async throws {
        fixture.script { request, state in
            guard request.method == "PUT", request.path.hasSuffix("/1/update") else { return nil }
            state.publish()
            return .problem(409, code)
        }
        #expect(try await fixture.agent(rounds: 2).run() == .trained(rounds: 2))
        #expect(fixture.stub.state.withLock { $0.uploads.map(\.round) } == [2, 3])
    }

    @Test func `a round that holds an update of this client is done`() async throws {
        fixture.script { request, state in
            guard request.method == "PUT", request.path.hasSuffix("/1/update") else { return nil }
            state.publish()
            return .problem(409, "update.exists")
        }
        #expect(try await fixture.agent(rounds: 1).run() == .trained(rounds: 1))
        #expect(fixture.trainer.rounds.withLock { $0 } == [1])
    }

    @Test(arguments: [429, 503])
    func `Retry-After is honoured`(status: Int) async throws {
        fixture.script { request, state in
            guard request.path.hasSuffix("/update") else { return nil }
            state.script = nil
            return StubCoordinator.Answer(status: status, fields: ["Retry-After: 7"])
        }
        _ = try await fixture.agent(rounds: 1).run()
        #expect(fixture.clock.sleeps.withLock { $0 } == [.seconds(7)])
        #expect(fixture.trainer.rounds.withLock { $0 } == [1])
    }

    @Test func `a server that goes away and comes back finds its client`() async throws {
        let (stub, peer) = (fixture.stub, fixture.peer)
        let again = Mutex<LoopbackPeer?>(nil)
        var fixture = fixture
        fixture.clock = StepClock { number in
            if number == 4 { again.withLock { $0 = try? stub.start(port: peer.port) } }
        }
        fixture.script { request, state in
            guard request.path.hasSuffix("/1/update") else { return nil }
            state.script = nil
            peer.stop()
            return .silence
        }
        #expect(try await fixture.agent().run() == .federationFinished)
        #expect(fixture.trainer.rounds.withLock { $0 } == [1, 2, 3])
        #expect(stub.state.withLock { $0.uploads.map(\.round) } == [1, 2, 3])
        #expect(fixture.clock.sleeps.withLock { $0.count } >= 4)
        again.withLock { $0?.stop() }
    }

    @Test(arguments: [401, 403], ["/plan", "/update", "/adapter"])
    func `a client that is shut out stops`(status: Int, at path: String) async throws {
        fixture.script { request, state in
            request.path.hasSuffix(path) && state.round == 2 ? .problem(status, "client.revoked") : nil
        }
        let problem = try await refusal(try fixture.agent())
        #expect(problem.status == status)
        #expect(problem.code == "client.revoked")
        #expect(fixture.stub.state.withLock { $0.uploads.map(\.round) } == [1])
    }

    @Test func `a name that is taken is refused`() async throws {
        fixture.stub.state.withLock { $0.tokens = ["edge-1": "of somebody else"] }
        #expect(try await refusal(try fixture.agent()).code == "client.exists")
    }

    @Test func `a wrong enrolment token is refused`() async throws {
        #expect(try await refusal(try fixture.agent(enrolment: "wrong")).status == 401)
    }

    @Test func `one refused update does not end the agent`() async throws {
        fixture.script { request, state in
            guard request.path.hasSuffix("/1/update") else { return nil }
            state.publish()
            return .problem(422, "update.norm")
        }
        #expect(try await fixture.agent().run() == .federationFinished)
        #expect(fixture.stub.state.withLock { $0.uploads.map(\.round) } == [2, 3])
    }

    @Test func `three refused updates in a row end the agent`() async throws {
        fixture.stub.state.withLock { $0.total = 9 }
        fixture.script { request, state in
            guard request.path.hasSuffix("/update") else { return nil }
            state.publish()
            return .problem(422, "update.shape")
        }
        #expect(try await refusal(try fixture.agent()).code == "update.shape")
        #expect(fixture.trainer.rounds.withLock { $0 } == [1, 2, 3])
    }

    @Test func `a server out of reach for too long is given up`() async throws {
        let peer = fixture.peer
        peer.stop()
        defer { withExtendedLifetime(peer) {} }
        let agent = try fixture.agent(persistence: .seconds(600))
        let error = try #require(await #expect(throws: AgentError.self) { try await agent.run() })
        guard case .outOfReach(_, let tried) = error else {
            Issue.record("expected out of reach, got \(error)")
            return
        }
        #expect(tried == .seconds(600))
    }

    @Test(arguments: ["/plan", "/adapter", "/digits", "/update"])
    func `a portal's page in place of an answer is waited out`(path: String) async throws {
        let pages = Counter()
        fixture.script { request, _ in
            guard request.path.hasSuffix(path),
                pages.next() <= 2
            else { return nil }
            return .json(200, "<html>Please accept our terms</html>")
        }
        #expect(try await fixture.agent(rounds: 1).run() == .trained(rounds: 1))
        #expect(fixture.clock.sleeps.withLock { $0.count } == 2)
    }

    @Test func `a phase that only newer servers know is waited out`() async throws {
        let polls = Counter()
        fixture.script { request, state in
            guard request.path.hasSuffix("/plan"),
                polls.next() == 1
            else { return nil }
            let plan = StubCoordinator.plan("edge-1", state)
            state.revision += 1
            return .json(200, plan.replacing(#""phase":"collecting""#, with: #""phase":"distilling""#))
        }
        let waits = Mutex<[String]>([])
        _ = try await fixture.agent(rounds: 1) { event in
            if case .waiting = event { waits.withLock { $0.append("\(event)") } }
        }.run()
        #expect(waits.withLock { $0 } == ["waiting: round 1 is distilling"])
    }

    @Test func `polls that bring nothing at once are not made in a tight loop`() async throws {
        let polls = Counter()
        fixture.script { request, state in
            guard request.path.hasSuffix("/plan"), state.round == 2 else { return nil }
            guard
                polls.next() <= 3
            else { return nil }
            return StubCoordinator.Answer(status: 204)
        }
        _ = try await fixture.agent().run()
        #expect(fixture.clock.sleeps.withLock { $0 } == [.seconds(1), .seconds(1), .seconds(1)])
    }

    @Test func `a server set up anew is joined anew, from its first round`() async throws {
        _ = try await fixture.agent(rounds: 2).run()
        let first = fixture.stub.state.withLock { $0.registrations[0].token }
        fixture.stub.state.withLock { state in
            state = StubCoordinator.State()
            state.createdAt = "2026-02-02T00:00:00Z"
        }
        _ = try await fixture.agent().run()
        #expect(fixture.stub.state.withLock { $0.registrations.map(\.token) } == [first])
        #expect(fixture.stub.state.withLock { $0.uploads.map(\.round) } == [1, 2, 3])
    }

    @Test func `a server restored from a backup gets again what it had acknowledged`() async throws {
        _ = try await fixture.agent(rounds: 2).run()
        fixture.stub.state.withLock { state in
            state.round = 1
            state.uploads = []
        }
        #expect(try await fixture.agent().run() == .federationFinished)
        #expect(fixture.stub.state.withLock { $0.uploads.map(\.round) } == [1, 2, 3])
    }

    @Test func `a round that refused an update is offered none again, unless its server was restored`() async throws {
        let refusals = Counter()
        fixture.script { request, state in
            if request.path.hasSuffix("/2/update"), refusals.next() == 1 { return .problem(422, "update.norm") }
            // The plan of the refused round comes once more before the server is restored to the round before it.
            guard request.path.hasSuffix("/plan"), state.round == 2, refusals.count == 1 else { return nil }
            if state.revision == 3 { state.round = 1 }
            state.revision += 1
            return nil
        }
        #expect(try await fixture.agent().run() == .federationFinished)
        #expect(fixture.trainer.rounds.withLock { $0 } == [1, 2, 1, 2, 3])
    }

    @Test func `another rank is registered again under the same token`() async throws {
        _ = try await fixture.agent(rounds: 1).run()
        _ = try await fixture.agent(rounds: 1, rank: 2).run()
        let registrations = fixture.stub.state.withLock { $0.registrations }
        #expect(registrations.map(\.rank) == [4, 2])
        #expect(Set(registrations.map(\.token)).count == 1)
    }

    @Test func `cancelling ends a poll at once`() async throws {
        let (polls, polled) = AsyncStream<Void>.makeStream()
        let peer = try LoopbackPeer { connection in
            while connection.request() != nil { polled.yield() }
        }
        defer { peer.stop() }
        let endpoint = FederationEndpoint(
            server: peer.url, federation: "digits", token: "t", fetcher: try HTTPFetcher())
        let poll = Task { try await endpoint.plan(after: 1, wait: .seconds(50))?.plan }
        for await _ in polls { break }
        poll.cancel()
        await #expect(throws: CallError.unreached(.cancelled)) { try await poll.value }
    }

    @Test func `an agent that is cancelled stops`() async throws {
        let agent = try fixture.agent { event in
            if case .trained = event { withUnsafeCurrentTask { $0?.cancel() } }
        }
        let run = Task { try await agent.run() }
        await #expect(throws: AgentError.cancelled) { try await run.value }
    }

    @Test func `a registration whose answer was lost is found again, though the enrolment token has expired`()
        async throws
    {
        fixture.script { request, state in
            guard request.method == "PUT", request.path.hasSuffix("/clients/edge-1") else { return nil }
            let token = request.fields["authorization"].map { String($0.dropFirst("Bearer ".count)) }
            guard let known = state.tokens["edge-1"] else {
                let body = try? WireJSON.decodeStrictly(RegistrationBody.self, from: Data(request.body))
                state.tokens["edge-1"] = body?.token
                return .silence
            }
            return token == known ? .json(200, #"{"name":"edge-1"}"#) : .problem(401, "auth.token")
        }
        #expect(try await fixture.agent().run() == .federationFinished)
        #expect(fixture.trainer.rounds.withLock { $0 } == [1, 2, 3])
    }

    @Test func `the state folder does not grow with the rounds`() async throws {
        let path = fixture.statePath
        let sizes = Mutex<[Int]>([])
        fixture.stub.state.withLock { $0.total = 120 }
        _ = try await fixture.agent { event in
            guard case .started = event else { return }
            let files = FileManager.default.enumerator(atPath: path)?.compactMap { $0 as? String } ?? []
            let bytes = files.map { FileManager.default.contents(atPath: "\(path)/\($0)")?.count ?? 0 }
            sizes.withLock { $0.append(bytes.reduce(0, +)) }
        }.run()
        let seen = sizes.withLock { $0 }
        #expect(seen.count == 120)
        // Only the digits of the round's number come to more.
        #expect(seen.dropFirst(2).allSatisfy { $0 <= seen[1] + 64 })
    }

    @Test func `files of finished rounds are removed`() async throws {
        _ = try await fixture.agent().run()
        let rounds = try FileManager.default.contentsOfDirectory(atPath: fixture.statePath + "/rounds")
        #expect(rounds == [])
    }
}
