import Federation
import Logging
import StoreConformance
import Synchronization
import Testing

@testable import SQLiteStore

/// SQLite and the data folder keep what the ports promise, and the checks find a store that does not.
@Suite struct SQLiteConformanceTests {
    /// Real stores, some with a part that is broken on purpose.
    private static func subject(
        _ name: String, _ breaking: @escaping @Sendable (inout Stores, SQLiteStore) -> Void = { _, _ in }
    )
        -> StoreUnderTest
    {
        StoreUnderTest(name) { folder in
            let clock = MovedClock()
            let store = try SQLiteStore(
                directory: folder, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, clock: clock)
            var stores = Stores(store)
            breaking(&stores, store)
            return OpenStore(stores, advance: { clock.advance($0) }, close: { try store.close() })
        }
    }

    @Test(arguments: ConformanceCheck.all)
    func `SQLite keeps the ports' promises`(_ check: ConformanceCheck) async throws {
        try await check.run(Self.subject("SQLite"))
    }

    /// A store that is broken, with the promise that it breaks.
    enum Mutant: CaseIterable {
        case noFence, noGrace, staleStep, staleRead, lostNotification, sharedJob

        var promise: String {
            switch self {
            case .noFence: "a holder that was paused past its lease changes nothing"
            case .noGrace: "a published blob stays for its grace, and goes after it"
            case .staleStep, .staleRead: "a step is decided on what is stored by then"
            case .lostNotification: "whoever listens hears of every step"
            case .sharedJob: "a job has one holder at a time"
            }
        }

        func breaks(_ stores: inout Stores, _ store: SQLiteStore) {
            switch self {
            case .noFence: stores.metadata = BrokenMetadata(store, forgetsLeases: true)
            case .noGrace: stores.blobs = GracelessBlobs(store)
            case .staleStep: stores.metadata = BrokenMetadata(store, decidesOnCopies: true)
            case .staleRead: stores.metadata = BrokenMetadata(store, readsOnce: true)
            case .lostNotification: stores.steps = LossyFeed(store)
            case .sharedJob: stores.jobs = SharedJobs(store)
            }
        }
    }

    @Test(arguments: Mutant.allCases)
    func `a broken store fails a check`(_ mutant: Mutant) async throws {
        let check = try #require(ConformanceCheck.all.first { $0.testDescription == mutant.promise })
        await withKnownIssue {
            try await check.run(Self.subject("\(mutant)") { mutant.breaks(&$0, $1) })
        }
    }
}

/// A clock that goes on only when a test says so.
final class MovedClock: WallClock {
    private let seconds = Mutex(0.0)

    func now() -> Timestamp { Timestamp(milliseconds: 0).adding(seconds: seconds.withLock { $0 }) }

    func advance(_ by: Double) { seconds.withLock { $0 += by } }
}

private struct BrokenMetadata: MetadataStore {
    let store: SQLiteStore
    /// Stores steps whatever lease they spend.
    var forgetsLeases = false
    /// Has steps decided on what their callers know.
    var decidesOnCopies = false
    /// Answers what it has read once.
    var readsOnce = false
    private let read = Cache()

    private final class Cache: Sendable {
        let federations = Mutex<[FederationID: StoredFederation]>([:])
    }

    init(_ store: SQLiteStore, forgetsLeases: Bool = false, decidesOnCopies: Bool = false, readsOnce: Bool = false) {
        self.store = store
        self.forgetsLeases = forgetsLeases
        self.decidesOnCopies = decidesOnCopies
        self.readsOnce = readsOnce
    }

    func current(_ copy: FederationMachine) async throws(StoreError) -> FederationMachine {
        decidesOnCopies ? copy : try await store.current(copy)
    }

    func step<Outcome: Sendable>(
        on copy: FederationMachine,
        decide: @escaping @Sendable (FederationMachine) -> (step: FederationStep, outcome: Outcome)
    ) async throws(StoreError) -> Outcome {
        try await store.step(on: copy) { basis in
            let (step, outcome) = decide(decidesOnCopies ? copy : basis)
            let kept = FederationStep(
                machine: step.machine, changes: step.changes, spending: forgetsLeases ? nil : step.spending)
            return (kept, outcome)
        }
    }

    func federation(_ federation: FederationID) async throws(StoreError) -> StoredFederation? {
        if readsOnce, let known = read.federations.withLock({ $0[federation] }) { return known }
        let found = try await store.federation(federation)
        read.federations.withLock { $0[federation] = found }
        return found
    }

    func federations() async throws(StoreError) -> StoredFederations {
        let found = try await store.federations()
        for one in found.sound {
            read.federations.withLock { read in
                if read[one.machine.settings.id] == nil { read[one.machine.settings.id] = one }
            }
        }
        return found
    }

    func create(_ federation: StoredFederation) async throws(StoreError) { try await store.create(federation) }
    func discard(_ federation: FederationID) async throws(StoreError) { try await store.discard(federation) }
    func delete(
        _ federation: FederationID, releasing: Bool, at now: Timestamp
    ) async throws(StoreError) -> DepartedFederation {
        try await store.delete(federation, releasing: releasing, at: now)
    }
    func round(_ number: Int, of federation: FederationID) async throws(StoreError) -> RoundMachine? {
        try await store.round(number, of: federation)
    }
    func update(
        of client: ClientName, round: Int, in federation: FederationID
    ) async throws(StoreError) -> HeldUpdate? {
        try await store.update(of: client, round: round, in: federation)
    }
    func rounds(before: Int, limit: Int, of federation: FederationID) async throws(StoreError) -> [ListedRound] {
        try await store.rounds(before: before, limit: limit, of: federation)
    }
    func evaluation(
        ofRound round: Int, of federation: FederationID
    ) async throws(StoreError) -> EvaluationRound? {
        try await store.evaluation(ofRound: round, of: federation)
    }
    func evaluations(
        ofRounds rounds: ClosedRange<Int>, of federation: FederationID
    ) async throws(StoreError) -> [ListedEvaluation] {
        try await store.evaluations(ofRounds: rounds, of: federation)
    }
    func events(after id: Int64, limit: Int, of federation: FederationID) async throws(StoreError) -> [StoredEvent] {
        try await store.events(after: id, limit: limit, of: federation)
    }
    func events(before id: Int64, limit: Int, of federation: FederationID) async throws(StoreError) -> [StoredEvent] {
        try await store.events(before: id, limit: limit, of: federation)
    }
    func rounds(
        knowing client: ClientName, before: Int, limit: Int, of federation: FederationID
    ) async throws(StoreError) -> [ClientRound] {
        try await store.rounds(knowing: client, before: before, limit: limit, of: federation)
    }
    func list(_ digest: ContentDigest, of federation: FederationID) async throws(StoreError) -> ClientList? {
        try await store.list(digest, of: federation)
    }
    func probe() async throws(StoreError) { try await store.probe() }
}

/// Gives a publisher no time to record what it has published.
private struct GracelessBlobs: BlobStore {
    let store: SQLiteStore
    var publishesFilesThemselves: Bool { store.publishesFilesThemselves }

    init(_ store: SQLiteStore) { self.store = store }

    func publish(_ staged: SpoolFile, as digest: ContentDigest) async throws(StoreError) {
        try await store.publish(staged, as: digest)
        store.publications.end(digest)
    }

    func stage() -> SpoolFile { store.stage() }
    func discard(_ staged: SpoolFile) async { await store.discard(staged) }
    func withdraw(_ digest: ContentDigest, backTo staged: SpoolFile?) async {
        await store.withdraw(digest, backTo: staged)
    }
    func lend(_ digest: ContentDigest) throws(StoreError) -> LentFile? { try store.lend(digest) }
    func sweepBlobs() async throws(StoreError) { try await store.sweepBlobs() }
}

/// Loses every second notification.
private struct LossyFeed: StepFeed {
    let store: SQLiteStore

    init(_ store: SQLiteStore) { self.store = store }

    func steps() -> AsyncStream<StoredStep> {
        let steps = store.steps()
        let (stream, continuation) = AsyncStream.makeStream(of: StoredStep.self)
        Task {
            var count = 0
            for await step in steps {
                count += 1
                if count % 2 == 1 { continuation.yield(step) }
            }
            continuation.finish()
        }
        return stream
    }
}

/// Gives a job to whoever asks.
private struct SharedJobs: JobStore {
    let store: SQLiteStore

    init(_ store: SQLiteStore) { self.store = store }

    func take(_ job: Job, seconds: Double) async throws(StoreError) -> Lease? {
        if let lease = try await store.take(job, seconds: seconds) { return lease }
        return Lease(job: job, fence: 1)
    }

    func renew(_ lease: Lease, seconds: Double) async throws(StoreError) -> Bool {
        try await store.renew(lease, seconds: seconds)
    }
    func giveUp(_ lease: Lease) async throws(StoreError) { try await store.giveUp(lease) }
    func finish(_ lease: Lease) async throws(StoreError) { try await store.finish(lease) }
}
