import Federation
import Synchronization

/// A database that several servers share: one federation's row with its lock, its rounds and events, leases, and
/// notifications.
///
/// It is a model of PostgreSQL. Every server has a `StoreConnection` to it.
final class FakeStore: Sendable {
    /// What is stored.
    struct Rows: Sendable {
        var machine: FederationMachine
        let createdAt: Timestamp
        var events: [AuditEvent] = []
        var rounds: [Int: RoundMachine] = [:]
        var evaluations: [Int: EvaluationRound] = [:]
    }

    /// A transaction that has the row's lock.
    private struct Holder {
        let transaction: Int
        let connection: Int
        var spent: Lease?
    }

    private struct Waiter {
        let transaction: Int
        let connection: Int
        let continuation: CheckedContinuation<Bool, Never>
    }

    private struct State {
        var rows: Rows
        var holder: Holder?
        var waiters: [Waiter] = []
        var transactions = 0
        var listeners: [StoreListener] = []
        var leases = LeaseRows()
        var awayUntil = Timestamp(milliseconds: 0)
    }

    let scheduler: Scheduler
    let hazards: HazardSwitch
    let ledger: StepLedger
    let mutant: Mutant?
    let presence = MemoryPresence()
    private let state: Mutex<State>

    /// A transaction that does nothing for this long while it has a lock is aborted.
    private static let idleSeconds = 5.0

    init(
        _ stored: StoredFederation, scheduler: Scheduler, hazards: HazardSwitch, ledger: StepLedger, mutant: Mutant?
    ) {
        self.scheduler = scheduler
        self.hazards = hazards
        self.ledger = ledger
        self.mutant = mutant
        state = Mutex(State(rows: Rows(machine: stored.machine, createdAt: stored.createdAt)))
    }

    /// What is committed now.
    var rows: Rows { state.withLock { $0.rows } }
    var isLocked: Bool { state.withLock { $0.holder != nil } }
}

extension FakeStore {
    /// Waits for the row's lock.
    ///
    /// - Returns: the transaction, or nil where the connection was lost meanwhile.
    func lock(for connection: Int) async -> Int? {
        let transaction = state.withLock { state in
            state.transactions += 1
            return state.transactions
        }
        let hasLock = await withCheckedContinuation { continuation in
            let isFree = state.withLock { state in
                guard state.holder == nil else {
                    state.waiters.append(
                        Waiter(transaction: transaction, connection: connection, continuation: continuation))
                    return false
                }
                state.holder = Holder(transaction: transaction, connection: connection)
                return true
            }
            if isFree {
                watch(transaction)
                continuation.resume(returning: true)
            }
        }
        return hasLock ? transaction : nil
    }

    /// Whether the transaction still has the lock.
    func holds(_ transaction: Int) -> Bool { state.withLock { $0.holder?.transaction == transaction } }

    /// Ends a transaction without effect, if it has not ended.
    func rollBack(_ transaction: Int) {
        let next: Waiter? = state.withLock { state in
            guard state.holder?.transaction == transaction else { return nil }
            if let lease = state.holder?.spent { state.leases.unspend(lease) }
            return pass(&state)
        }
        if let next { wake(next) }
    }

    /// Aborts what a connection has begun and not committed.
    func end(connection: Int) {
        let (waiters, transaction): ([Waiter], Int?) = state.withLock { state in
            let ended = state.waiters.filter { $0.connection == connection }
            state.waiters.removeAll { $0.connection == connection }
            state.listeners.removeAll { $0.connection == connection }
            let holder = state.holder.flatMap { $0.connection == connection ? $0.transaction : nil }
            return (ended, holder)
        }
        for waiter in waiters { waiter.continuation.resume(returning: false) }
        if let transaction { rollBack(transaction) }
    }

    /// Aborts every transaction, and takes no request for some time.
    func restart(seconds: Double) {
        scheduler.note("store", "starts again and is away for \(seconds) s")
        ledger.count(.restart)
        let (waiters, transaction) = state.withLock { state in
            state.awayUntil = scheduler.now().adding(seconds: seconds)
            defer { state.waiters = [] }
            return (state.waiters, state.holder?.transaction)
        }
        for waiter in waiters { waiter.continuation.resume(returning: false) }
        if let transaction { rollBack(transaction) }
    }

    var isAway: Bool {
        let now = scheduler.now()
        return state.withLock { now < $0.awayUntil }
    }

    /// Gives the lock to one of those who wait.
    private func pass(_ state: inout State) -> Waiter? {
        state.holder = nil
        guard !state.waiters.isEmpty else { return nil }
        let count = state.waiters.count
        let next = state.waiters.remove(at: scheduler.roll { $0.below(count) })
        state.holder = Holder(transaction: next.transaction, connection: next.connection)
        return next
    }

    private func wake(_ waiter: Waiter) {
        watch(waiter.transaction)
        waiter.continuation.resume(returning: true)
    }

    private func watch(_ transaction: Int) {
        scheduler.after(seconds: Self.idleSeconds) { [self] in
            guard holds(transaction) else { return }
            scheduler.note("store", "transaction \(transaction) was idle for too long and is aborted")
            ledger.count(.abortedTransaction)
            rollBack(transaction)
        }
    }
}

extension FakeStore {
    /// Marks the lease as spent by the transaction; false where it is not the newest.
    func spend(_ lease: Lease, in transaction: Int) -> Bool {
        state.withLock { state in
            guard mutant == .removedFence || state.leases.spend(lease) else { return false }
            state.holder?.spent = lease
            return true
        }
    }

    /// Stores a step and ends its transaction.
    func commit(_ step: FederationStep, of transaction: Int, by server: String) {
        let (next, listeners, revision): (Waiter?, [StoreListener], Int64) = state.withLock { state in
            let basis = state.rows
            let machine = isBlind ? step.machine.at(revision: basis.machine.revision + 1) : step.machine
            state.rows.take(machine, step.changes)
            ledger.stored(step, of: server, from: basis, to: state.rows)
            if let lease = step.spending { state.leases.end(lease) }
            return (pass(&state), state.listeners, machine.revision)
        }
        for listener in listeners { announce(revision, to: listener) }
        if let next { wake(next) }
    }

    /// Whether the mutant overwrites other steps. It then numbers its step as if it had seen them.
    private var isBlind: Bool { mutant == .removedReload || mutant == .closingOutsideLock }

    /// Writes a step's rows once more.
    func repeatCommit(_ step: FederationStep, by server: String) {
        state.withLock { state in
            let basis = state.rows
            state.rows.take(step.machine.at(revision: basis.machine.revision + 1), step.changes)
            ledger.stored(step, of: server, from: basis, to: state.rows)
        }
    }

    private func announce(_ revision: Int64, to listener: StoreListener) {
        let rates = hazards.current
        let seconds: Double? = scheduler.roll { dice in
            if dice.chance(rates.droppedNotification) { return nil }
            return Double(dice.below(dice.chance(rates.lateNotification) ? 4000 : 10)) / 1000
        }
        guard let seconds else { return ledger.count(.droppedNotification) }
        scheduler.after(seconds: seconds) { listener.hear(revision) }
    }

    func listen(_ listener: StoreListener) { state.withLock { $0.listeners.append(listener) } }
}

extension FakeStore {
    func take(_ job: Job, seconds: Double) -> Lease? {
        let now = scheduler.now()
        return state.withLock { state in
            let lease = state.leases.take(job, at: now, seconds: seconds, mutant: mutant)
            if let lease { ledger.leased(lease) }
            return lease
        }
    }

    func renew(_ lease: Lease, seconds: Double) -> Bool {
        let now = scheduler.now()
        return state.withLock { $0.leases.renew(lease, at: now, seconds: seconds) }
    }

    func giveUp(_ lease: Lease) { state.withLock { $0.leases.end(lease) } }
}

extension FakeStore.Rows {
    /// Writes the rows of a step.
    fileprivate mutating func take(_ machine: FederationMachine, _ changes: [Change]) {
        self.machine = machine
        for change in changes {
            switch change {
            case .event(let event): events.append(event)
            case .round(let round): rounds[round.number] = round
            case .evaluation(let evaluation): evaluations[evaluation.round] = evaluation
            case .settings, .client, .clientChanges, .clientChangesCounted, .participations, .place, .update, .status,
                .releaseUpdates, .refusal, .token, .evaluationPlaces,
                .tokenWithdrawn, .list:
                break
            }
        }
        if let round = machine.round { rounds[round.number] = round }
        if let evaluation = machine.evaluation { evaluations[evaluation.round] = evaluation }
    }
}

extension FederationMachine {
    /// The same federation under another revision.
    fileprivate func at(revision: Int64) -> FederationMachine {
        FederationMachine(
            settings: settings, state: state, clients: clients, round: round, publishedRound: publishedRound,
            revision: revision, planRevision: planRevision == self.revision ? revision : planRevision,
            tokens: Array(tokens.values), clientChanges: clientChanges, evaluation: evaluation)
    }
}
