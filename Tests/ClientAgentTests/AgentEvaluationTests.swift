import ClientAgent
import Foundation
import RankwiseWire
import Synchronization
import TestStage
import Testing
import Training

/// The agent's answers to plans that ask for evaluations.
@Suite struct AgentEvaluationTests {
    private let fixture: AgentFixture
    private let answers = Answers()

    init() throws { fixture = try AgentFixture() }

    /// What came as evaluations: path and body.
    private final class Answers: Sendable {
        let bodies = Mutex<[String: EvaluationBody]>([:])
    }

    /// A trainer that finds the same each time, or fails.
    private final class Scorer: LocalTrainer {
        let trainer = CountingTrainer()
        let evaluates: Bool
        let scored = Mutex<[TrainingAssignment]>([])
        private let outcome: EvaluationOutcome?

        init(_ outcome: EvaluationOutcome?, evaluates: Bool = true) {
            self.outcome = outcome
            self.evaluates = evaluates
        }

        func train(
            _ assignment: TrainingAssignment, progress: @escaping @Sendable (TrainingProgress) -> Void
        ) async throws(TrainingError) -> TrainingOutcome {
            try await trainer.train(assignment, progress: progress)
        }

        func evaluate(_ assignment: TrainingAssignment) async throws(TrainingError) -> EvaluationOutcome {
            scored.withLock { $0.append(assignment) }
            guard let outcome else { throw .command(reason: "exited with status 3") }
            return outcome
        }
    }

    /// The stub's plans, with an evaluation of the last round in each until it is answered.
    private func script(refusal: StubCoordinator.Answer? = nil) {
        let answers = answers
        fixture.script { request, state in
            if request.method == "PUT", request.path.hasSuffix("/evaluation") {
                if let refusal { return refusal }
                let body = try? WireJSON.decodeStrictly(EvaluationBody.self, from: Data(request.body))
                answers.bodies.withLock { $0[request.path] = body }
                state.revision += 1
                return .json(201, #"{"round":1,"received":1}"#)
            }
            guard request.path.hasSuffix("/plan"), state.round > 1, let client = state.tokens.first?.key else {
                return nil
            }
            let path = "/v1/federations/digits/rounds/\(state.round - 1)/evaluation"
            guard answers.bodies.withLock({ $0[path] }) == nil else { return nil }
            // The stub's last plan is of a finished federation; evaluations come before that.
            let plan = StubCoordinator.plan(client, state).replacing(#""finished""#, with: #""running""#)
            let evaluate =
                #""holdout":0.2,"evaluate":{"round":\#(state.round - 1),"deadline_at":"soon","href":"\#(path)"}"#
            return .json(200, "{\(evaluate)," + plan.trimmingCharacters(in: .whitespacesAndNewlines).dropFirst())
        }
    }

    private func agent(_ scorer: Scorer, events: @escaping @Sendable (AgentEvent) -> Void = { _ in }) throws -> Agent {
        try fixture.agent(evaluates: scorer.evaluates, observe: events, makeTrainer: { _ in scorer })
    }

    @Test func `an agent scores what a round published before it trains from the same download`() async throws {
        script()
        let scorer = Scorer(
            EvaluationOutcome(samples: 7, metrics: ["loss": 0.5, "perplexity": .infinity, "odd": .nan]))
        #expect(try await agent(scorer).run() == .federationFinished)
        let state = fixture.stub.state.withLock { $0 }
        #expect(state.registrations.map { $0.capabilities["evaluate"] } == [.bool(true)])
        #expect(state.uploads.map(\.round) == [1, 2, 3])
        let bodies = answers.bodies.withLock { $0 }
        #expect(bodies.keys.sorted() == (1...3).map { "/v1/federations/digits/rounds/\($0)/evaluation" })
        for body in bodies.values {
            #expect(body.samples == 7 && body.metrics.keys.sorted() == ["loss", "perplexity", "seconds"])
            #expect(body.metrics["perplexity"] == 1e12)
        }
        let scored = scorer.scored.withLock { $0 }
        #expect(scored.map(\.plan.holdout) == [0.2, 0.2, 0.2])
        // Every adapter is downloaded once, though two things are done with it.
        for round in 0...2 {
            let path = "GET /v1/federations/digits/rounds/\(round)/adapter"
            #expect(state.requests.count { $0 == path } == 1, "\(round)")
        }
        let second = state.requests.firstIndex { $0.hasSuffix("rounds/1/evaluation") } ?? .max
        #expect(second < state.requests.firstIndex { $0.hasSuffix("rounds/2/update") } ?? 0)
    }

    @Test func `without held-out examples an agent says so`() async throws {
        script()
        #expect(try await agent(Scorer(.withoutData)).run() == .federationFinished)
        let bodies = answers.bodies.withLock { $0.values.map { $0 } }
        #expect(bodies == Array(repeating: EvaluationBody(samples: 0, metrics: [:]), count: 3))
    }

    @Test func `an evaluation that fails or is refused costs no round`() async throws {
        for (outcome, refusal) in [
            (nil, nil), (EvaluationOutcome(samples: 3, metrics: ["loss": 1]), .problem(409, "evaluation.closed")),
        ] as [(EvaluationOutcome?, StubCoordinator.Answer?)] {
            let fresh = try Self()
            fresh.script(refusal: refusal)
            // The stub asks for the last evaluation for ever, so this agent ends by its rounds.
            let said = Mutex<[String]>([])
            let scorer = Scorer(outcome)
            let agent = try fresh.fixture.agent(
                rounds: 3, evaluates: true, observe: { event in said.withLock { $0.append("\(event)") } },
                makeTrainer: { _ in scorer })
            #expect(try await agent.run() == .trained(rounds: 3))
            let complaints = said.withLock { $0.count { $0.contains("not evaluated") } }
            #expect(complaints == 2)
            // Each is tried once.
            let tries = scorer.scored.withLock { $0.count }
            #expect(tries == 2)
        }
    }

    @Test func `a trainer that cannot evaluate is not asked to`() async throws {
        script()
        let scorer = Scorer(.withoutData, evaluates: false)
        let agent = try fixture.agent(rounds: 3, makeTrainer: { _ in scorer })
        #expect(try await agent.run() == .trained(rounds: 3))
        let scored = scorer.scored.withLock { $0 }
        #expect(scored.isEmpty)
        let registration = fixture.stub.state.withLock { $0.registrations.first }
        #expect(registration?.capabilities["evaluate"] == nil)
    }

    @Test func `an agent registers again once it can evaluate, and only then`() async throws {
        fixture.stub.state.withLock { $0.total = 1 }
        _ = try await fixture.agent().run()
        fixture.stub.state.withLock { $0.total = 3 }
        for _ in 0..<2 {
            fixture.stub.state.withLock { $0.round = 3 }
            let scorer = Scorer(.withoutData)
            _ = try await fixture.agent(evaluates: true, makeTrainer: { _ in scorer }).run()
        }
        let registrations = fixture.stub.state.withLock(\.registrations)
        #expect(registrations.map { $0.capabilities["evaluate"] } == [nil, .bool(true)])
    }
}
