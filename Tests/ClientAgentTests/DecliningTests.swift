import ClientAgent
import Foundation
import RankwiseWire
import Synchronization
import TestStage
import Testing
import Training

/// What an agent does about rounds that it cannot train.
struct DecliningTests {
    private var fixture: AgentFixture

    init() throws { fixture = try AgentFixture() }

    /// The stub takes declines, and the round goes on without this client.
    private func takeDeclines(_ reasons: ReasonList = ReasonList(), total: Int = 9) -> ReasonList {
        fixture.stub.state.withLock { $0.total = total }
        fixture.script { request, state in
            guard request.method == "PUT", request.path.hasSuffix("/rounds/\(state.round)/decline") else { return nil }
            reasons.add((try? WireJSON.decode(DeclineBody.self, from: Data(request.body)))?.reason ?? "")
            state.publish()
            return StubCoordinator.Answer(status: 204)
        }
        return reasons
    }

    private func failure(_ agent: Agent) async throws -> String {
        let error = try #require(await #expect(throws: AgentError.self) { try await agent.run() })
        guard case .trainingFailed(let reason) = error else {
            Issue.record("expected a failed training, got \(error)")
            return ""
        }
        return reason
    }

    @Test mutating func `a round whose training diverges is declined, and the next one trained`() async throws {
        let reasons = takeDeclines(total: 4)
        fixture.trainer = CountingTrainer(failures: [.diverged(epoch: 1, step: 2), nil, .diverged(epoch: 2, step: 1)])
        #expect(try await fixture.agent().run() == .federationFinished)
        #expect(fixture.trainer.rounds.withLock { $0 } == [1, 2, 3, 4])
        #expect(fixture.stub.state.withLock { $0.uploads.map(\.round) } == [2, 4])
        #expect(
            reasons.all == [
                "\(TrainingError.diverged(epoch: 1, step: 2))", "\(TrainingError.diverged(epoch: 2, step: 1))",
            ])
        #expect(fixture.clock.sleeps.withLock { $0 } == [])
    }

    @Test mutating func `three rounds in a row that cannot be trained end the agent`() async throws {
        let reasons = takeDeclines()
        fixture.trainer = CountingTrainer(failure: .diverged(epoch: 1, step: 1))
        #expect(try await failure(try fixture.agent()).hasSuffix("so did 3 rounds in a row"))
        #expect(fixture.trainer.rounds.withLock { $0 } == [1, 2, 3])
        #expect(reasons.all.count == 3)
    }

    @Test mutating func `a command that failed is run again after a while, and then the round is declined`()
        async throws
    {
        let reasons = takeDeclines(total: 2)
        let error = TrainingError.command(reason: "exited with status 1")
        fixture.trainer = CountingTrainer(failures: [error, nil, error, error, error])
        #expect(try await fixture.agent().run() == .federationFinished)
        #expect(fixture.trainer.rounds.withLock { $0 } == [1, 1, 2, 2, 2])
        #expect(fixture.stub.state.withLock { $0.uploads.map(\.round) } == [1])
        #expect(reasons.all == ["\(error)"])
        #expect(fixture.clock.sleeps.withLock { $0.count } == 3)
    }

    @Test mutating func `a trainer may abstain from any number of rounds`() async throws {
        let reasons = takeDeclines(total: 8)
        fixture.trainer = CountingTrainer(failure: .abstained(reason: "abstains"))
        #expect(try await fixture.agent().run() == .federationFinished)
        #expect(reasons.all.count == 8)
    }

    @Test mutating func `a trainer that asks not to be run again ends the agent`() async throws {
        let reasons = takeDeclines()
        fixture.trainer = CountingTrainer(failure: .stopped(reason: "has no graphics card"))
        #expect(try await failure(try fixture.agent()).contains("has no graphics card"))
        #expect(reasons.all.count == 1)
    }

    @Test mutating func `an agent that ends for good says that it leaves, and why`() async throws {
        let leaves = ReasonList()
        fixture.script { request, _ in
            guard request.method == "PUT", request.path.hasSuffix("/digits/leave") else { return nil }
            leaves.add((try? WireJSON.decode(DeclineBody.self, from: Data(request.body)))?.reason ?? "")
            return StubCoordinator.Answer(status: 204)
        }
        fixture.trainer = CountingTrainer(failure: .stopped(reason: "has no graphics card"))
        let reason = try await failure(try fixture.agent())
        #expect(leaves.all == ["has stopped: training failed: \(reason)"])
    }

    @Test func `an agent whose trainer cannot be made leaves before it knows of a round`() async throws {
        let agent = try fixture.agent(makeTrainer: { _ throws(TrainingError) in throw .data(reason: "3 features") })
        #expect(try await failure(agent).contains("3 features"))
        #expect(fixture.stub.state.withLock { $0.requests.last } == "PUT /v1/federations/digits/leave")
    }

    @Test mutating func `a server that knows no declining is waited for in silence`() async throws {
        let polls = Counter()
        fixture.script { request, state in
            guard request.path.hasSuffix("/plan"), state.round == 1, polls.next() > 1 else { return nil }
            state.publish()
            return nil
        }
        fixture.trainer = CountingTrainer(failures: [.diverged(epoch: 1, step: 1)])
        #expect(try await fixture.agent().run() == .federationFinished)
        #expect(fixture.trainer.rounds.withLock { $0 } == [1, 2, 3])
    }

    @Test mutating func `a round that asks again after it was declined is trained again`() async throws {
        let declines = Counter()
        fixture.script { request, state in
            guard request.method == "PUT", request.path.hasSuffix("/decline") else { return nil }
            _ = declines.next()
            state.revision += 1
            return StubCoordinator.Answer(status: 204)
        }
        fixture.trainer = CountingTrainer(failures: [.diverged(epoch: 1, step: 1)])
        #expect(try await fixture.agent().run() == .federationFinished)
        #expect(fixture.trainer.rounds.withLock { $0 } == [1, 1, 2, 3])
        #expect(declines.count == 1)
    }

    @Test func `a refused update leaves its round`() async throws {
        fixture.script { request, state in
            if request.path.hasSuffix("/1/update") { return .problem(422, "update.norm") }
            guard request.path.hasSuffix("/1/decline") else { return nil }
            state.publish()
            return StubCoordinator.Answer(status: 204)
        }
        #expect(try await fixture.agent().run() == .federationFinished)
        #expect(fixture.stub.state.withLock { $0.uploads.map(\.round) } == [2, 3])
    }
}

/// The reasons that a stub was given.
final class ReasonList: Sendable {
    private let reasons = Mutex<[String]>([])

    var all: [String] { reasons.withLock { $0 } }

    func add(_ reason: String) { reasons.withLock { $0.append(reason) } }
}
