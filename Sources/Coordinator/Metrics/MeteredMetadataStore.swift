import CoreMetrics
import Federation
import Synchronization

/// A metadata store whose steps are timed and whose failures and audit events are counted.
struct MeteredMetadataStore: MetadataStore {
    let store: any MetadataStore
    let metrics: CoordinatorMetrics

    func federations() async throws(StoreError) -> StoredFederations {
        try await counted { () async throws(StoreError) in try await store.federations() }
    }

    func federation(_ federation: FederationID) async throws(StoreError) -> StoredFederation? {
        try await counted { () async throws(StoreError) in try await store.federation(federation) }
    }

    func create(_ federation: StoredFederation) async throws(StoreError) {
        try await counted { () async throws(StoreError) in try await store.create(federation) }
    }

    func current(_ copy: FederationMachine) async throws(StoreError) -> FederationMachine {
        try await counted { () async throws(StoreError) in try await store.current(copy) }
    }

    /// Times the steps that were stored: the wait for the lock, the decision and the commit.
    func step<Outcome: Sendable>(
        on copy: FederationMachine,
        decide: @escaping @Sendable (FederationMachine) -> (step: FederationStep, outcome: Outcome)
    ) async throws(StoreError) -> Outcome {
        let kinds = StepKinds()
        let began = ContinuousClock.now
        let outcome = try await counted { () async throws(StoreError) in
            try await store.step(on: copy) { stored in
                let decided = decide(stored)
                kinds.note(decided.step.changes)
                return decided
            }
        }
        let (isStored, events) = kinds.last
        guard isStored else { return outcome }
        metrics.commitSeconds.recordNanoseconds(began.nanosecondsToNow)
        for (kind, count) in events { metrics.auditEvents.add(count, to: kind) }
        return outcome
    }

    func discard(_ federation: FederationID) async throws(StoreError) {
        try await counted { () async throws(StoreError) in try await store.discard(federation) }
    }

    func delete(
        _ federation: FederationID, releasing: Bool, at now: Timestamp
    ) async throws(StoreError) -> DepartedFederation {
        try await counted { () async throws(StoreError) in
            try await store.delete(federation, releasing: releasing, at: now)
        }
    }

    func round(_ number: Int, of federation: FederationID) async throws(StoreError) -> RoundMachine? {
        try await counted { () async throws(StoreError) in try await store.round(number, of: federation) }
    }

    func update(
        of client: ClientName, round: Int, in federation: FederationID
    ) async throws(StoreError) -> HeldUpdate? {
        try await counted { () async throws(StoreError) in
            try await store.update(of: client, round: round, in: federation)
        }
    }

    func rounds(before: Int, limit: Int, of federation: FederationID) async throws(StoreError) -> [ListedRound] {
        try await counted { () async throws(StoreError) in
            try await store.rounds(before: before, limit: limit, of: federation)
        }
    }

    func rounds(
        knowing client: ClientName, before: Int, limit: Int, of federation: FederationID
    ) async throws(StoreError) -> [ClientRound] {
        try await counted { () async throws(StoreError) in
            try await store.rounds(knowing: client, before: before, limit: limit, of: federation)
        }
    }

    func evaluation(
        ofRound round: Int, of federation: FederationID
    ) async throws(StoreError) -> EvaluationRound? {
        try await counted { () async throws(StoreError) in
            try await store.evaluation(ofRound: round, of: federation)
        }
    }

    func evaluations(
        ofRounds rounds: ClosedRange<Int>, of federation: FederationID
    ) async throws(StoreError) -> [ListedEvaluation] {
        try await counted { () async throws(StoreError) in
            try await store.evaluations(ofRounds: rounds, of: federation)
        }
    }

    func events(before id: Int64, limit: Int, of federation: FederationID) async throws(StoreError) -> [StoredEvent] {
        try await counted { () async throws(StoreError) in
            try await store.events(before: id, limit: limit, of: federation)
        }
    }

    func events(after id: Int64, limit: Int, of federation: FederationID) async throws(StoreError) -> [StoredEvent] {
        try await counted { () async throws(StoreError) in
            try await store.events(after: id, limit: limit, of: federation)
        }
    }

    func list(_ digest: ContentDigest, of federation: FederationID) async throws(StoreError) -> ClientList? {
        try await counted { () async throws(StoreError) in try await store.list(digest, of: federation) }
    }

    func probe() async throws(StoreError) {
        try await counted { () async throws(StoreError) in try await store.probe() }
    }

    private func counted<Success>(
        _ work: () async throws(StoreError) -> Success
    ) async throws(StoreError) -> Success {
        do throws(StoreError) {
            return try await work()
        } catch {
            metrics.storeFailures.add(1, to: error.metricName)
            throw error
        }
    }
}

/// What a step stores, by the last decision about it: a repeated transaction decides again.
private final class StepKinds: Sendable {
    private let state = Mutex<(isStored: Bool, events: [String: Int])>((false, [:]))

    var last: (isStored: Bool, events: [String: Int]) { state.withLock { $0 } }

    func note(_ changes: [Change]) {
        var events: [String: Int] = [:]
        for case .event(let event) in changes { events[event.kind, default: 0] += 1 }
        state.withLock { [events] in $0 = (!changes.isEmpty, events) }
    }
}

extension ContinuousClock.Instant {
    var nanosecondsToNow: Int64 {
        let (seconds, attoseconds) = (ContinuousClock.now - self).components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }
}
