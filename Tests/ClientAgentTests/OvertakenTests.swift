import ClientAgent
import RankwiseWire
import Synchronization
import TestStage
import Testing
import Training

/// What an agent does about a round that ends while it trains.
struct OvertakenTests {
    /// In its first round it trains until it is cancelled.
    private final class EndlessTrainer: LocalTrainer {
        let inner = CountingTrainer()
        let cancelled = Counter()

        func train(
            _ assignment: TrainingAssignment, progress: @escaping @Sendable (TrainingProgress) -> Void
        ) async throws(TrainingError) -> TrainingOutcome {
            guard assignment.plan.round == 1 else { return try await inner.train(assignment, progress: progress) }
            // Nothing is ever sent: only being cancelled ends this.
            let (nothing, sender) = AsyncStream<Never>.makeStream()
            for await _ in nothing {}
            sender.finish()
            _ = cancelled.next()
            throw .cancelled
        }
    }

    private let fixture: AgentFixture
    private let trainer = EndlessTrainer()

    init() throws { fixture = try AgentFixture() }

    private func agent(_ observe: @escaping @Sendable (AgentEvent) -> Void = { _ in }) throws -> Agent {
        let trainer = trainer
        return try fixture.agent(trainingCheck: .seconds(30), observe: observe) { _ in trainer }
    }

    @Test func `training ends soon after its round, and the next one is trained`() async throws {
        let polls = Counter()
        fixture.script { request, state in
            // The fourth time somebody asks the round is over.
            if request.path.hasSuffix("/plan"), polls.next() == 4 { state.publish() }
            return nil
        }
        let missed = ReasonList()
        let outcome = try await agent { if case .missed(1, let reason) = $0 { missed.add(reason) } }.run()
        #expect(outcome == .federationFinished)
        #expect(missed.all == ["round 2 has begun"])
        #expect(trainer.cancelled.count == 1)
        #expect(fixture.stub.state.withLock { $0.uploads.map(\.round) } == [2, 3])
    }

    @Test func `training ends soon after its federation`() async throws {
        let polls = Counter()
        fixture.script { request, state in
            if request.path.hasSuffix("/plan"), polls.next() == 3 { state.round = state.total + 1 }
            return nil
        }
        #expect(try await agent().run() == .federationFinished)
        #expect(trainer.cancelled.count == 1)
        #expect(fixture.stub.state.withLock { $0.uploads } == [])
    }

    @Test func `in an asynchronous federation training goes on while its update still counts`() async throws {
        let polls = Counter()
        fixture.script { request, state in
            if request.path.hasSuffix("/digits") {
                return .json(
                    200,
                    #"""
                    {"id":"digits","state":"running","round":1,"revision":1,"clients":1,"created_at":"","settings":
                     {"id":"digits","base_model":{"name":"mlp-4-2"},"adapter":{"max_rank":4,
                      "modules":{"fc1":{"in":4,"out":2}}},"strategy":{"name":"rbla"},
                      "round":{"buffer":2,"max_staleness":5}}}
                    """#)
            }
            state.total = 8
            if request.path.hasSuffix("/plan"), polls.next() > 1, state.round < 7 { state.publish() }
            return nil
        }
        let missed = ReasonList()
        let agent = try agent { if case .missed(1, let reason) = $0 { missed.add(reason) } }
        #expect(try await agent.run() == .federationFinished)
        #expect(missed.all == ["round 7 has begun"])
    }
}
