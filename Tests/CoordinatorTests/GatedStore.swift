import Federation
import SQLiteStore
import Synchronization

/// A real store whose commits a test can hold up or make fail.
final class GatedStore: MetadataStore, AdapterStore {
    enum Gate: Sendable {
        case open
        case failing(StoreError)
        case held
    }

    private struct State {
        var gate = Gate.open
        var held: [CheckedContinuation<Void, Never>] = []
        var arrivals: [CheckedContinuation<Void, Never>] = []
        var intercept: @Sendable (AdapterWrite) throws(StoreError) -> Void = { _ in }
        var beforeRead: @Sendable (AdapterAddress) -> Void = { _ in }
    }

    /// A write of what rounds leave.
    enum AdapterWrite: Sendable, Hashable {
        case remove(AdapterSlot, ClosedRange<Int>)
        case append(AdapterSlot)
        case fold
    }

    private let store: SQLiteStore
    private let state = Mutex(State())

    init(_ store: SQLiteStore) { self.store = store }

    func set(_ gate: Gate) {
        let released = state.withLock { state in
            state.gate = gate
            defer { state.held = [] }
            return state.held
        }
        for continuation in released { continuation.resume() }
    }

    /// From now on every write of what rounds leave is shown to `intercept`, which may fail it.
    func onAdapterWrite(_ intercept: @escaping @Sendable (AdapterWrite) throws(StoreError) -> Void) {
        state.withLock { $0.intercept = intercept }
    }

    /// From now on `happen` is called before rows of an adapter are read.
    func beforeAdapterRead(_ happen: @escaping @Sendable (AdapterAddress) -> Void) {
        state.withLock { $0.beforeRead = happen }
    }

    private func show(_ write: AdapterWrite) throws(StoreError) { try state.withLock { $0.intercept }(write) }

    /// Returns once a commit is held.
    func commitArrives() async {
        await withCheckedContinuation { continuation in
            let isThere = state.withLock { state in
                if state.held.isEmpty { state.arrivals.append(continuation) }
                return !state.held.isEmpty
            }
            if isThere { continuation.resume() }
        }
    }

    func current(_ copy: FederationMachine) async throws(StoreError) -> FederationMachine {
        if case .failing(let error) = state.withLock({ $0.gate }) { throw error }
        return try await store.current(copy)
    }

    func step<Outcome: Sendable>(
        on copy: FederationMachine,
        decide: @escaping @Sendable (FederationMachine) -> (step: FederationStep, outcome: Outcome)
    ) async throws(StoreError) -> Outcome {
        await withCheckedContinuation { continuation in
            let arrivals: [CheckedContinuation<Void, Never>]? = state.withLock { state in
                guard case .held = state.gate else { return nil }
                state.held.append(continuation)
                defer { state.arrivals = [] }
                return state.arrivals
            }
            guard let arrivals else { return continuation.resume() }
            for arrival in arrivals { arrival.resume() }
        }
        if case .failing(let error) = state.withLock({ $0.gate }) { throw error }
        return try await store.step(on: copy, decide: decide)
    }

    func federations() async throws(StoreError) -> StoredFederations { try await store.federations() }
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
    func events(before id: Int64, limit: Int, of federation: FederationID) async throws(StoreError) -> [StoredEvent] {
        try await store.events(before: id, limit: limit, of: federation)
    }
    func rounds(
        knowing client: ClientName, before: Int, limit: Int, of federation: FederationID
    ) async throws(StoreError) -> [ClientRound] {
        try await store.rounds(knowing: client, before: before, limit: limit, of: federation)
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
    func federation(_ federation: FederationID) async throws(StoreError) -> StoredFederation? {
        try await store.federation(federation)
    }
    func list(_ digest: ContentDigest, of federation: FederationID) async throws(StoreError) -> ClientList? {
        try await store.list(digest, of: federation)
    }
    func probe() async throws(StoreError) { try await store.probe() }
    func remove(
        _ slot: AdapterSlot, ofRounds rounds: ClosedRange<Int>, in federation: FederationID, under lease: Lease?
    ) throws(StoreError) {
        try show(.remove(slot, rounds))
        try store.remove(slot, ofRounds: rounds, in: federation, under: lease)
    }
    func append(_ parts: [AdapterPart], to address: AdapterAddress, under lease: Lease?) throws(StoreError) {
        try show(.append(address.slot))
        try store.append(parts, to: address, under: lease)
    }
    func rows(_ rows: Int, of tensor: AdapterTensor, at address: AdapterAddress) throws(StoreError) -> [Float] {
        state.withLock { $0.beforeRead }(address)
        return try store.rows(rows, of: tensor, at: address)
    }
    func rowCount(of tensor: AdapterTensor, at address: AdapterAddress) throws(StoreError) -> Int {
        try store.rowCount(of: tensor, at: address)
    }
    func copy(from source: AdapterAddress, to target: AdapterAddress) throws(StoreError) {
        try store.copy(from: source, to: target)
    }
    func rounds(of slot: AdapterSlot, in federation: FederationID) throws(StoreError) -> [Int] {
        try store.rounds(of: slot, in: federation)
    }
    func hasContent(at address: AdapterAddress) throws(StoreError) -> Bool { try store.hasContent(at: address) }
    func metrics(ofRounds rounds: [Int], in federation: FederationID) throws(StoreError) -> [Int: Metrics] {
        try store.metrics(ofRounds: rounds, in: federation)
    }
    func merges(of federation: FederationID) throws(StoreError) -> MergeRecord { try store.merges(of: federation) }
    func foldMerges(
        through round: Int, of federation: FederationID, under lease: Lease
    ) throws(StoreError) {
        try show(.fold)
        try store.foldMerges(through: round, of: federation, under: lease)
    }
}
