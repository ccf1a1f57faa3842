import Federation
import Synchronization

/// The connection of one server's process to the store, on which calls fail and answers get lost.
final class StoreConnection: Sendable {
    let store: FakeStore
    let server: String
    let number: Int
    let lane: Lane
    let listener = Mutex<StoreListener?>(nil)
    private let hasEnded = Mutex(false)

    init(_ store: FakeStore, of server: String, number: Int, in lane: Lane) {
        self.store = store
        self.server = server
        self.number = number
        self.lane = lane
    }

    var isOpen: Bool { !hasEnded.withLock { $0 } }

    /// The process is gone: what it has not committed is rolled back, and it gets no answer any more.
    func end() {
        hasEnded.withLock { $0 = true }
        store.end(connection: number)
        listener.withLock { $0 }?.end()
    }

    /// The way of a request to the store.
    func arrive() async throws(StoreError) {
        await store.scheduler.point()
        let rate = store.hazards.current.unreachable
        if store.isAway || store.scheduler.roll({ $0.chance(rate) }) { throw .failed("the store cannot be reached") }
        try requireOpen()
    }

    /// The way of an answer back.
    func answer<Value: Sendable>(_ value: Value) async throws(StoreError) -> Value {
        let rate = store.hazards.current.lostAnswer
        let isLost = store.scheduler.roll { $0.chance(rate / 4) }
        await store.scheduler.point()
        try requireOpen()
        if isLost { throw .failed("the answer was lost") }
        return value
    }

    private func requireOpen() throws(StoreError) {
        if !isOpen { throw .failed("the process has ended") }
    }
}

extension StoreConnection: MetadataStore {
    func current(_ copy: FederationMachine) async throws(StoreError) -> FederationMachine {
        try await arrive()
        let stored = store.rows.machine
        store.ledger.check(copy, of: server, against: stored)
        return try await answer(stored.revision == copy.revision ? copy : stored)
    }

    func step<Outcome: Sendable>(
        on copy: FederationMachine,
        decide: @escaping @Sendable (FederationMachine) -> (step: FederationStep, outcome: Outcome)
    ) async throws(StoreError) -> Outcome {
        while true {
            try await arrive()
            let early = store.mutant == .closingOutsideLock ? store.rows.machine : nil
            guard let transaction = await store.lock(for: number) else { throw .failed("the connection was lost") }
            do throws(StoreError) {
                let basis = try await read(copy, in: transaction)
                var (step, outcome) = early.map(decide) ?? decide(basis)
                if early != nil, !step.closesRound { (step, outcome) = decide(basis) }
                if step.changes.isEmpty {
                    store.rollBack(transaction)
                    return try await answer(outcome)
                }
                try await go(on: transaction)
                if let lease = step.spending, !store.spend(lease, in: transaction) {
                    store.ledger.count(.fencedStep)
                    throw .fenced
                }
                try await go(on: transaction)
                if let outcome = try await commit(step, outcome, in: transaction) { return outcome }
            } catch {
                store.rollBack(transaction)
                throw error
            }
        }
    }

    /// The federation on which a step is decided: the caller's copy, or what somebody else has stored since.
    private func read(_ copy: FederationMachine, in transaction: Int) async throws(StoreError) -> FederationMachine {
        try await go(on: transaction)
        let stored = store.rows.machine
        store.ledger.check(copy, of: server, against: stored)
        if store.mutant == .removedReload { return copy }
        return stored.revision == copy.revision ? copy : stored
    }

    /// - Returns: nil where the transaction was rolled back and must be repeated.
    private func commit<Outcome: Sendable>(
        _ step: FederationStep, _ outcome: Outcome, in transaction: Int
    ) async throws(StoreError) -> Outcome? {
        let rates = store.hazards.current
        let (isRepeated, fails, isUnanswered) = store.scheduler.roll { dice in
            (
                dice.chance(rates.repeatedTransaction), dice.chance(rates.failedCommit),
                dice.chance(rates.lostAnswer)
            )
        }
        if isRepeated {
            store.ledger.count(.repeatedTransaction)
            store.rollBack(transaction)
            return nil
        }
        if fails {
            note("fails before the commit of revision \(step.machine.revision)")
            store.ledger.count(.failedCommit)
            if store.mutant == .earlyAnswer {
                store.rollBack(transaction)
                return outcome
            }
            throw .failed("the commit failed")
        }
        store.commit(step, of: transaction, by: server)
        note("commits revision \(step.machine.revision): \(step.changes.summary)")
        await store.scheduler.point()
        try requireOpen()
        if isUnanswered {
            note("does not hear of its commit of revision \(step.machine.revision)")
            store.ledger.count(.unansweredCommit)
            if store.mutant == .repeatedCommit { store.repeatCommit(step, by: server) }
            throw .failed("COMMIT was not answered")
        }
        return outcome
    }

    /// The time until the transaction's next statement. Throws where the transaction was aborted meanwhile.
    private func go(on transaction: Int) async throws(StoreError) {
        await store.scheduler.point()
        try requireOpen()
        guard store.holds(transaction) else { throw .failed("the transaction was aborted") }
    }

    private func note(_ text: @autoclosure () -> String) { store.scheduler.note(server, text()) }

    func federations() async throws(StoreError) -> StoredFederations {
        try await arrive()
        let rows = store.rows
        var found = StoredFederations()
        found.sound = [StoredFederation(machine: rows.machine, createdAt: rows.createdAt)]
        return try await answer(found)
    }

    func federation(_ federation: FederationID) async throws(StoreError) -> StoredFederation? {
        try await federations().sound.first { $0.machine.settings.id == federation }
    }

    func round(_ number: Int, of federation: FederationID) async throws(StoreError) -> RoundMachine? {
        try await arrive()
        return try await answer(store.rows.rounds[number])
    }

    func update(
        of client: ClientName, round: Int, in federation: FederationID
    ) async throws(StoreError) -> HeldUpdate? {
        try await self.round(round, of: federation)?.heldUpdate(of: client)
    }

    func events(after id: Int64, limit: Int, of federation: FederationID) async throws(StoreError) -> [StoredEvent] {
        throw .failed("the model has no chain of hashes")
    }

    func events(before id: Int64, limit: Int, of federation: FederationID) async throws(StoreError) -> [StoredEvent] {
        throw .failed("the model has no chain of hashes")
    }

    func rounds(
        knowing client: ClientName, before: Int, limit: Int, of federation: FederationID
    ) async throws(StoreError) -> [ClientRound] {
        throw .failed("the model lists no rounds")
    }

    func create(_ federation: StoredFederation) async throws(StoreError) { throw .exists }
    func discard(_ federation: FederationID) async throws(StoreError) { throw .failed("the model deletes nothing") }
    func delete(
        _ federation: FederationID, releasing: Bool, at now: Timestamp
    ) async throws(StoreError) -> DepartedFederation {
        throw .failed("the model deletes nothing")
    }
    func rounds(before: Int, limit: Int, of federation: FederationID) async throws(StoreError) -> [ListedRound] {
        throw .failed("the model lists no rounds")
    }
    func evaluation(
        ofRound round: Int, of federation: FederationID
    ) async throws(StoreError) -> EvaluationRound? {
        throw .failed("the model keeps no ended evaluations")
    }
    func evaluations(
        ofRounds rounds: ClosedRange<Int>, of federation: FederationID
    ) async throws(StoreError) -> [ListedEvaluation] {
        throw .failed("the model keeps no ended evaluations")
    }
    func list(_ digest: ContentDigest, of federation: FederationID) async throws(StoreError) -> ClientList? {
        throw .failed("the model keeps no lists")
    }
    func probe() async throws(StoreError) { try await arrive() }
}

extension FederationStep {
    /// Whether the step ends the collecting of a round.
    fileprivate var closesRound: Bool {
        changes.contains { if case .round(let round) = $0 { round.phase == .aggregating } else { false } }
    }
}

extension [Change] {
    /// The kinds of the events of a step, for the trace.
    fileprivate var summary: String {
        let events = compactMap { change -> String? in
            guard case .event(let event) = change else { return nil }
            return [event.kind, event.client?.rawValue, event.round.map { "r\($0)" }].compactMap(\.self)
                .joined(separator: " ")
        }
        return events.isEmpty ? "\(count) changes" : events.joined(separator: ", ")
    }
}
