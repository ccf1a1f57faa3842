import ClientAgent
import Foundation
import Synchronization
import TestStage
import Testing
import Training

/// How an agent keeps the sum of a federation's merges.
///
/// The merge of round t is a product of which every number is 10ᵗ, so a sum says which merges are in it.
struct MergeTests {
    private var fixture: AgentFixture
    /// What each round's trainer found, by round.
    private let seen: Seen
    /// The `since` of each request for merges.
    private let asked: Asked

    private final class Seen: Sendable { let sums = Mutex<[Int: Float?]>([:]) }
    private final class Asked: Sendable { let since = Mutex<[Int]>([]) }

    init() throws {
        fixture = try AgentFixture()
        let (seen, asked) = (Seen(), Asked())
        (self.seen, self.asked) = (seen, asked)
        fixture.trainer = CountingTrainer { assignment in
            let sum = assignment.merge.flatMap { AdapterBytes.product(of: $0)?.first }
            seen.sums.withLock { $0[assignment.plan.round] = .some(sum) }
            return Data("trained".utf8)
        }
    }

    private static func merges(after since: Int, upTo round: Int) throws -> [UInt8] {
        let value = (since + 1...round).reduce(Float(0)) { $0 + pow(10, Float($1)) }
        return try AdapterBytes.file(rank: 1, a: [1, 1, 1, 1], b: [value, value])
    }

    /// A federation whose every round publishes a merge; `compacted` is answered to what it returns true for.
    private func serve(
        compacted: @escaping @Sendable (_ round: Int, _ since: Int) -> Bool = { _, _ in false },
        body: @escaping @Sendable (_ since: Int, _ round: Int) throws -> [UInt8] = Self.merges
    ) {
        let asked = asked
        fixture.script { request, state in
            if request.path.hasSuffix("/plan"), state.round > 1, state.round <= state.total {
                let round = state.round - 1
                return .json(
                    200,
                    StubCoordinator.plan("edge-1", state).replacing(
                        #""merge":null"#,
                        with: """
                            "merge":{"round":\(round),"since":0,\
                            "href":"/v1/federations/digits/rounds/\(round)/merge?since=0"}
                            """))
            }
            guard request.path.hasSuffix("/merge"), let since = request.query["since"].flatMap(Int.init) else {
                return nil
            }
            let round = Int(request.path.split(separator: "/")[4]) ?? 0
            asked.since.withLock { $0.append(since) }
            if compacted(round, since) { return .problem(410, "merge.compacted") }
            return StubCoordinator.Answer(status: 200, body: (try? body(since, round)) ?? [])
        }
    }

    private func sums() -> [Int: Float?] { seen.sums.withLock { $0 } }
    private func since() -> [Int] { asked.since.withLock { $0 } }

    @Test func `each round trains on the sum of all merges and asks for the new ones alone`() async throws {
        serve()
        fixture.stub.state.withLock { $0.total = 4 }
        #expect(try await fixture.agent().run() == .federationFinished)
        #expect(sums() == [1: nil, 2: 10, 3: 110, 4: 1110])
        #expect(since() == [0, 1, 2])
    }

    @Test func `a restart goes on from the sum that was kept`() async throws {
        serve()
        _ = try await fixture.agent(rounds: 2).run()
        _ = try await fixture.agent(rounds: 1).run()
        #expect(sums()[3] == 110)
        #expect(since() == [0, 1])
    }

    @Test func `merges that the server has folded together are asked for from the beginning`() async throws {
        serve(compacted: { round, since in round == 2 && since == 1 })
        _ = try await fixture.agent().run()
        #expect(sums() == [1: nil, 2: 10, 3: 110])
        #expect(since() == [0, 1, 0])
    }

    @Test func `a client that missed rounds gets all the merges since`() async throws {
        serve()
        fixture.stub.state.withLock { $0.total = 5 }
        _ = try await fixture.agent(rounds: 2).run()
        fixture.stub.state.withLock { $0.round = 5 }
        _ = try await fixture.agent(rounds: 1).run()
        #expect(sums() == [1: nil, 2: 10, 5: 11110])
        #expect(since() == [0, 1])
    }

    @Test func `a kept sum that is damaged is made anew`() async throws {
        serve()
        _ = try await fixture.agent(rounds: 2).run()
        try Data("damaged".utf8).write(to: URL(filePath: fixture.statePath + "/merge.safetensors"))
        _ = try await fixture.agent(rounds: 1).run()
        #expect(sums()[3] == 110)
        #expect(since() == [0, 0])
    }

    @Test func `a merge that does not fit the kept sum is replaced by all of them`() async throws {
        serve(body: { since, round in
            since == 0
                ? try Self.merges(after: 0, upTo: round)
                : try AdapterBytes.file(rank: 1, inputs: 3, a: [1, 1, 1], b: [1, 1])
        })
        _ = try await fixture.agent().run()
        #expect(sums() == [1: nil, 2: 10, 3: 110])
        #expect(since() == [0, 1, 0])
    }

    @Test func `merges that never make a sum end the agent with the reason`() async throws {
        serve(body: { _, _ in StubCoordinator.adapter(ofRound: "1") })
        let agent = try fixture.agent()
        let error = try #require(await #expect(throws: AgentError.self) { try await agent.run() })
        guard case .trainingFailed(let reason) = error else {
            Issue.record("expected a failed training, got \(error)")
            return
        }
        #expect(reason.contains("merges-since-0"))
        #expect(!FileManager.default.fileExists(atPath: fixture.statePath + "/merge.safetensors"))
    }

    @Test func `a federation set up anew starts without the old one's merges`() async throws {
        serve()
        _ = try await fixture.agent(rounds: 2).run()
        fixture.stub.state.withLock { state in
            let script = state.script
            state = StubCoordinator.State()
            state.createdAt = "2026-02-02T00:00:00Z"
            state.script = script
        }
        _ = try await fixture.agent(rounds: 2).run()
        #expect(since() == [0, 0])
        #expect(sums()[2] == 10)
    }

    @Test func `beside the sum, no merge stays on disk`() async throws {
        serve()
        _ = try await fixture.agent().run()
        let names = try FileManager.default.subpathsOfDirectory(atPath: fixture.statePath)
        #expect(names.filter { $0.contains("merge") } == ["merge.safetensors"])
    }
}
