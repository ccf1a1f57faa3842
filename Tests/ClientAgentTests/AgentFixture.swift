import ClientAgent
import Foundation
import HTTPFetching
import RankwiseWire
import ServerCalls
import Synchronization
import TestStage
import Training

/// A trainer that appends its count to the adapter it was given, or leaves what `result` makes of the assignment.
final class CountingTrainer: LocalTrainer {
    let rounds = Mutex<[Int]>([])
    /// What each call throws, where it does; the last one stands for all that come after it.
    private let failures: [TrainingError?]
    private let result: (@Sendable (TrainingAssignment) -> Data)?

    init(result: (@Sendable (TrainingAssignment) -> Data)? = nil) {
        failures = []
        self.result = result
    }

    /// Throws the n-th of `failures` at the n-th call.
    init(failures: [TrainingError?]) {
        self.failures = failures + [nil]
        result = nil
    }

    /// Throws at every call.
    init(failure: TrainingError) {
        failures = [failure]
        result = nil
    }

    func train(
        _ assignment: TrainingAssignment, progress: @escaping @Sendable (TrainingProgress) -> Void
    ) async throws(TrainingError) -> TrainingOutcome {
        let count = rounds.withLock { rounds in
            rounds.append(assignment.plan.round)
            return rounds.count
        }
        if !failures.isEmpty, let failure = failures[min(count, failures.count) - 1] { throw failure }
        let adapter = FileManager.default.contents(atPath: assignment.adapter) ?? Data()
        _ = FileManager.default.createFile(
            atPath: assignment.output, contents: result?(assignment) ?? adapter + Data(" trained \(count)".utf8))
        progress(TrainingProgress(epoch: 1, epochs: 1, loss: 0.5, accuracy: 0.75))
        return TrainingOutcome(samples: 9, loss: 0.5, accuracy: 0.75)
    }
}

/// A clock on which time passes in sleeps alone.
final class StepClock: WaitClock {
    private let time = Mutex(Duration.zero)
    let sleeps = Mutex<[Duration]>([])
    private let onSleep: @Sendable (Int) -> Void

    /// - Parameter onSleep: called with the number of each sleep, in its place.
    init(onSleep: @escaping @Sendable (Int) -> Void = { _ in }) { self.onSleep = onSleep }

    var now: Duration { time.withLock { $0 } }

    func sleep(for duration: Duration) async throws(CancellationError) {
        if Task.isCancelled { throw CancellationError() }
        time.withLock { $0 += duration }
        let number = sleeps.withLock { sleeps in
            sleeps.append(duration)
            return sleeps.count
        }
        onSleep(number)
    }
}

/// Counts from 1.
final class Counter: Sendable {
    private let value = Atomic(0)

    var count: Int { value.load(ordering: .relaxed) }

    func next() -> Int { value.add(1, ordering: .relaxed).newValue }
}

struct SeededGenerator: RandomNumberGenerator, Sendable {
    var state: UInt64

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state
    }
}

/// Stops a peer once nobody needs it: each one that listens keeps a thread, of which there are some 250.
private final class PeerEnd: Sendable {
    private let peer: LoopbackPeer

    init(_ peer: LoopbackPeer) { self.peer = peer }
    deinit { peer.stop() }
}

/// One agent's surroundings: a stub server, a state folder, a trainer and a clock.
struct AgentFixture {
    let stub = StubCoordinator()
    let peer: LoopbackPeer
    private let end: PeerEnd
    let folder: TemporaryFolder
    var trainer = CountingTrainer()
    var clock = StepClock()

    init() throws {
        peer = try stub.start()
        end = PeerEnd(peer)
        folder = try TemporaryFolder()
    }

    var statePath: String { folder.path("state") }

    func script(_ script: @escaping @Sendable (PeerRequest, inout StubCoordinator.State) -> StubCoordinator.Answer?) {
        stub.state.withLock { $0.script = script }
    }

    func agent(
        rounds: Int? = nil, rank: Int = 4, client: String = "edge-1", enrolment: String? = StubCoordinator.enrolment,
        registersAnew: Bool = false, evaluates: Bool = false, trainingCheck: Duration? = nil,
        persistence: Duration = .seconds(3600),
        resumableFrom: Int64 = 4 << 20,
        observe: @escaping @Sendable (AgentEvent) -> Void = { _ in }, makeTrainer: Agent.TrainerMaker? = nil
    ) throws -> Agent {
        let trainer = trainer
        return try Agent(
            Agent.Configuration(
                server: peer.url, federation: "digits", client: client, rank: rank, enrolmentToken: enrolment,
                capabilities: ["cpu": .string("test")], registersAnew: registersAnew, evaluates: evaluates,
                rounds: rounds,
                trainingCheck: trainingCheck, persistence: persistence, resumableFrom: resumableFrom),
            state: StateFolder(statePath), fetcher: HTTPFetcher(), clock: clock, generator: SeededGenerator(state: 1),
            observe: observe, makeTrainer: makeTrainer ?? { _ in trainer })
    }
}
