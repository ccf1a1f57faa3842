package import Federation
import Synchronization

/// One federation while the server runs: applies events in stored steps and wakes those who wait for them.
///
/// Events that arrive while a step is being stored form the next step together, so a burst of updates shares one
/// transaction. Readers take the snapshot of the last stored step and never wait for the store. Where somebody else has
/// written meanwhile, the session reads the federation again and applies its events to that.
package final class FederationSession: Sendable {
    package let id: FederationID
    private let store: any FederationStore
    private let clock: any WallClock
    private let sampler: any ClientSampler
    private let onAggregationDue: @Sendable (FederationID) -> Void
    private let onEvent: @Sendable (FederationID, AuditEvent) -> Void
    private let onReload: @Sendable (FederationMachine) -> Void
    private let state: Mutex<State>
    /// Up to which round merges are known to be kept as their sum alone.
    let mergesFoldedThrough = Atomic<Int>(0)
    let watchers = Watchers()

    private struct State {
        var snapshot: FederationSnapshot
        /// When each client was last heard of.
        var lastSeen: [ClientName: Timestamp]
        /// Who has said that it would call no more, and has not called since.
        var absent: Set<ClientName> = []
        /// Who called since the last tick and could be let into a round.
        var arrivals: Set<ClientName> = []
        var isStoring = false
        var queued: [Queued] = []
    }

    private struct Queued {
        let event: FederationMachine.Event
        let continuation: CheckedContinuation<Turn, Never>
    }

    /// What a queued event hears: that another caller's step took it along, or that it is its turn to store one.
    private enum Turn: Sendable {
        case taken(Result<FederationMachine.Reply, StoreError>)
        case leads
    }

    /// A server that was away cannot know who was: everybody counts as seen when a session begins.
    init(
        _ stored: StoredFederation, store: any FederationStore, clock: any WallClock, sampler: any ClientSampler,
        onAggregationDue: @escaping @Sendable (FederationID) -> Void,
        onEvent: @escaping @Sendable (FederationID, AuditEvent) -> Void,
        onReload: @escaping @Sendable (FederationMachine) -> Void = { _ in }
    ) {
        id = stored.machine.settings.id
        self.store = store
        self.clock = clock
        self.sampler = sampler
        self.onAggregationDue = onAggregationDue
        self.onEvent = onEvent
        self.onReload = onReload
        let now = clock.now()
        state = Mutex(
            State(
                snapshot: FederationSnapshot(machine: stored.machine, createdAt: stored.createdAt),
                lastSeen: stored.machine.clients.mapValues { _ in now }))
    }

    /// The adapter's shape and the strategy.
    func plan() throws(ServiceError) -> AdapterPlan { try snapshot.plan() }

    /// The same; nil while a template is to come.
    func planIfAny() throws(ServiceError) -> AdapterPlan? {
        do throws(ServiceError) { return try plan() } catch .draft { return nil }
    }

    /// The longest sound update of a round that goes on from the last published one.
    func updateByteLimit(round: Int) throws(ServiceError) -> Int {
        try plan().updateByteLimit(round: round, after: snapshot.machine.publishedRound)
    }

    package var snapshot: FederationSnapshot { state.withLock { $0.snapshot } }

    /// When a client last called.
    package func lastSeen(_ client: ClientName) -> Timestamp? { state.withLock { $0.lastSeen[client] } }

    /// Applies an event and answers once the step that holds it is durable.
    package func perform(_ event: FederationMachine.Event) async throws(StoreError) -> FederationMachine.Reply {
        let turn: Turn = await withCheckedContinuation { continuation in
            let leads = state.withLock { state in
                guard state.isStoring else {
                    state.isStoring = true
                    return true
                }
                state.queued.append(Queued(event: event, continuation: continuation))
                return false
            }
            if leads { continuation.resume(returning: .leads) }
        }
        switch turn {
        case .taken(let result): return try result.get()
        case .leads: return try await lead(with: event)
        }
    }

    /// Notes that a client called; the next tick lets it in where that may change something.
    package func touch(_ client: ClientName) {
        let now = clock.now()
        state.withLock { state in
            state.lastSeen[client] = now
            state.absent.remove(client)
            if state.snapshot.machine.maySelect(client) { state.arrivals.insert(client) }
        }
    }

    /// Notes that a client has ended: until it calls again no round selects it.
    func leave(_ client: ClientName) {
        state.withLock { state in
            state.absent.insert(client)
            state.arrivals.remove(client)
        }
    }

    /// Ends waits whose time is up, lets in those who called, and moves the federation on where its time has come.
    package func tick() async throws(StoreError) {
        let now = clock.now()
        watchers.expire(at: now)
        let (machine, arrivals) = state.withLock { state in
            defer { state.arrivals = [] }
            return (state.snapshot.machine, state.arrivals.sorted())
        }
        guard !arrivals.isEmpty || machine.isDue(at: now) else { return }
        do throws(StoreError) {
            _ = try await perform(.tick(arrivals: arrivals))
        } catch {
            state.withLock { $0.arrivals.formUnion(arrivals) }
            throw error
        }
    }

    /// The first snapshot whose revision is above `revision`, or `nil` once `deadline` has passed.
    package func snapshot(after revision: Int64, until deadline: Timestamp) async -> FederationSnapshot? {
        await watchers.wait(for: { $0.machine.revision > revision }, until: deadline) { self.snapshot }
    }

    /// Whether no round is being aggregated, now or by `deadline`.
    func collects(by deadline: Timestamp) async -> Bool {
        await watchers.wait(for: { $0.machine.round?.phase != .aggregating }, until: deadline) { self.snapshot } != nil
    }

    /// The first snapshot in which the client's plan is newer than `revision`, or `nil` once `deadline` has passed.
    package func plan(of client: ClientName, after revision: Int64, until deadline: Timestamp) async
        -> FederationSnapshot?
    {
        await watchers.wait(for: { $0.machine.planRevision(of: client) > revision }, until: deadline) { self.snapshot }
    }
}

extension FederationSession {
    /// Stores one step of this event and all that are queued, then hands the lead to the next in the queue.
    private func lead(with event: FederationMachine.Event) async throws(StoreError) -> FederationMachine.Reply {
        let followers = state.withLock { state in
            defer { state.queued = [] }
            return state.queued
        }
        let result = await step([event] + followers.map(\.event))
        for (index, follower) in followers.enumerated() {
            follower.continuation.resume(returning: .taken(result.map { $0[index + 1] }))
        }
        let next: Queued? = state.withLock { state in
            guard !state.queued.isEmpty else {
                state.isStoring = false
                return nil
            }
            return state.queued.removeFirst()
        }
        next?.continuation.resume(returning: .leads)
        return try result.map { $0[0] }.get()
    }

    /// A step that has lost so many races gives up.
    private static let mostRaces = 16

    /// Stores the events as one step, on what is stored by then.
    private func step(_ events: [FederationMachine.Event]) async -> Result<[FederationMachine.Reply], StoreError> {
        var result = await attempt(events)
        for _ in 0..<Self.mostRaces {
            guard case .failure(.conflict) = result else { break }
            do throws(StoreError) {
                guard let stored = try await store.federation(id) else {
                    return .failure(.failed("\(id) is not stored any more"))
                }
                adopt(stored.machine)
            } catch {
                return .failure(error)
            }
            result = await attempt(events)
        }
        return result
    }

    /// Goes on from what somebody else has stored.
    private func adopt(_ machine: FederationMachine) {
        let now = clock.now()
        let (snapshot, isNews) = state.withLock { state in
            let before = state.snapshot
            let snapshot = FederationSnapshot(machine: machine, after: before)
            state.snapshot = snapshot
            for client in machine.clients.values where state.lastSeen[client.name] == nil {
                state.lastSeen[client.name] = now
            }
            return (snapshot, before.machine.round?.phase != machine.round?.phase)
        }
        onReload(machine)
        watchers.wake(with: snapshot)
        if isNews, machine.round?.phase == .aggregating { onAggregationDue(id) }
    }

    /// Applies the events to a copy, stores what changed, and only then lets everybody see the copy.
    private func attempt(_ events: [FederationMachine.Event]) async -> Result<[FederationMachine.Reply], StoreError> {
        let (current, lastSeen, absent) = state.withLock { ($0.snapshot, $0.lastSeen, $0.absent) }
        let now = clock.now()
        var next = current.machine
        let (replies, changes) = next.apply(
            events, in: .init(now: now, lastSeen: lastSeen, absent: absent, sampler: sampler))
        guard !changes.isEmpty else { return .success(replies) }
        do throws(StoreError) {
            try await store.commit(changes, to: next, from: current.machine.revision)
        } catch {
            return .failure(error)
        }
        let snapshot = FederationSnapshot(machine: next, after: current)
        state.withLock { state in
            state.snapshot = snapshot
            for case .registered(let client, _) in replies {
                state.lastSeen[client.name] = now
                state.absent.remove(client.name)
            }
        }
        for case .event(let event) in changes { onEvent(id, event) }
        watchers.wake(with: snapshot)
        if next.round?.phase == .aggregating, next.round?.phase != current.machine.round?.phase { onAggregationDue(id) }
        return .success(replies)
    }
}
