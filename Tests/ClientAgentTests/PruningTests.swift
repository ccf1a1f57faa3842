import ClientAgent
import Foundation
import RankwiseWire
import Synchronization
import TestStage
import Testing
import Training

/// How an agent gives up ranks that its training does not use.
struct PruningTests {
    private var fixture: AgentFixture

    init() throws { fixture = try AgentFixture() }

    /// A federation of `hetlora`: adapters of rank 4 whose components are all ones, and a plan of the registered rank.
    private func serve(received: Float = 1, refusing code: Int? = nil) throws {
        let adapter = try AdapterBytes.file(rank: 4, a: [1, 1, 1, 1], b: [received, received])
        fixture.script { request, state in
            if request.path.hasSuffix("/adapter") { return StubCoordinator.Answer(status: 200, body: adapter) }
            if let code, request.path.hasSuffix("/clients/edge-1"), !state.registrations.isEmpty {
                return .problem(code, "auth.token")
            }
            guard request.path.hasSuffix("/plan"), state.round <= state.total else { return nil }
            let rank = state.registrations.last?.rank ?? 0
            return .json(
                200,
                StubCoordinator.plan("edge-1", state)
                    .replacing(#""rank":4"#, with: #""rank":\#(rank)"#)
                    .replacing(
                        #""penalty":0"#,
                        with: #""penalty":0,"pruning":{"gamma":0.5,"penalty":0.001,"min_rank":1}"#))
        }
    }

    /// A trainer whose adapters have this number all over their B.
    private mutating func train(to value: Float) throws {
        let trained = Data(try AdapterBytes.file(rank: 4, a: [1, 1, 1, 1], b: [value, value]))
        fixture.trainer = CountingTrainer { _ in trained }
    }

    private func ranks() -> [Int] { fixture.stub.state.withLock { $0.registrations.map(\.rank) } }

    @Test mutating func `a tail that shrank lowers the rank before the next round, and again`() async throws {
        try serve()
        try train(to: 0.5)
        #expect(try await fixture.agent().run() == .federationFinished)
        #expect(ranks() == [4, 2, 1])
        let requests = fixture.stub.state.withLock { $0.requests }
        // The update of the old rank comes first.
        let calls = requests.filter { $0.hasPrefix("PUT") }.map { $0.split(separator: "/").last.map(String.init) }
        #expect(calls == ["edge-1", "update", "edge-1", "update", "edge-1", "update"])
    }

    @Test(arguments: [(Float(1), Float(1)), (1, 2), (0, 0.5), (0, 0)])
    mutating func
        `a tail that did not shrink leaves the rank as it is`(received: Float, trained: Float) async throws
    {
        try serve(received: received)
        try train(to: trained)
        _ = try await fixture.agent().run()
        #expect(ranks() == [4])
    }

    @Test mutating func `a restart keeps the lower rank, and another rank of the owner's ends it`() async throws {
        try serve()
        try train(to: 0.5)
        _ = try await fixture.agent(rounds: 1).run()
        #expect(ranks() == [4])
        try train(to: 1)
        _ = try await fixture.agent(rounds: 1).run()
        #expect(ranks() == [4, 2])
        _ = try await fixture.agent(rounds: 1, rank: 3).run()
        #expect(ranks() == [4, 2, 3])
    }

    @Test mutating func `a server that will not hear of a lower rank is worked for at the old one`() async throws {
        try serve(refusing: 401)
        try train(to: 0.5)
        let kept = Mutex<[String]>([])
        let agent = try fixture.agent { event in
            if case .rankKept = event { kept.withLock { $0.append("\(event)") } }
        }
        #expect(try await agent.run() == .federationFinished)
        #expect(fixture.stub.state.withLock { $0.uploads.map(\.round) } == [1, 2, 3])
        #expect(
            kept.withLock { $0.first } == "rank 2 would do, but the server keeps the old one: no (401 auth.token)")
    }

    @Test mutating func `a client without the enrolment token shows its own`() async throws {
        try serve()
        try train(to: 1)
        _ = try await fixture.agent(rounds: 1).run()
        let token = fixture.stub.state.withLock { $0.registrations.first?.token }
        try train(to: 0.5)
        _ = try await fixture.agent(enrolment: nil).run()
        #expect(fixture.stub.state.withLock { $0.enrolments.last } == token)
    }
}
