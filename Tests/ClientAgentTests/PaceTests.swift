import ClientAgent
import Synchronization
import TestStage
import Testing

/// An agent that the server asks to stay away for a while.
struct PaceTests {
    private var fixture: AgentFixture
    /// The `wait` of each question for a plan.
    private let waits = Waits()

    private final class Waits: Sendable {
        let all = Mutex<[String?]>([])
    }

    init() throws { fixture = try AgentFixture() }

    /// The stub's plans select nobody at first: the first ones ask the client to come back after so many seconds.
    private func unselect(_ answers: [String?]) {
        fixture.stub.state.withLock { $0.total = 1 }
        let waits = waits
        fixture.script { request, state in
            guard request.method == "GET", request.path.hasSuffix("/plan") else { return nil }
            let turn = waits.all.withLock { all in
                all.append(request.query["wait"])
                return all.count - 1
            }
            guard turn < answers.count else { return nil }
            guard let seconds = answers[turn] else { return StubCoordinator.Answer(status: 204) }
            state.revision += 1
            let plan = StubCoordinator.plan("edge", state)
                .replacing(#""selected":true"#, with: #""selected":false,"come_back_seconds":\#(seconds)"#)
            return .json(200, plan)
        }
    }

    @Test mutating func `it stays away for so long, and then asks without waiting`() async throws {
        unselect(["40", nil, "30.5", "null", nil])
        #expect(try await fixture.agent().run() == .federationFinished)
        // After an answer without news it stays away for as long as before.
        // At last it waits again, and rests for a second where an answer comes too early.
        #expect(
            fixture.clock.sleeps.withLock { $0 } == [.seconds(40), .seconds(40), .seconds(30.5), .seconds(1)])
        #expect(waits.all.withLock { $0 } == [nil, "0", "0", "0", "25", "25", "25"])
    }

    @Test(arguments: ["-1", "86401", "1e300"]) mutating func `a time that makes no sense is no plan`(
        seconds: String
    ) async throws {
        unselect([seconds])
        let events = Mutex<[String]>([])
        let agent = try fixture.agent(observe: { event in events.withLock { $0.append("\(event)") } })
        #expect(try await agent.run() == .federationFinished)
        #expect(!fixture.clock.sleeps.withLock { $0 }.contains { $0 > .seconds(600) })
        #expect(events.withLock { $0.contains { $0.contains("come_back_seconds is") } })
    }
}
