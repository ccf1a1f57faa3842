package import Federation
import Synchronization

/// One federation while the server runs: applies events in stored steps and wakes those who wait for them.
///
/// Events that arrive while a step is being stored form the next step together, so a burst of updates shares one
/// transaction. Readers use the snapshot of the last stored step and never wait for the store. Steps of other writers
/// reach the session with its own next step, or by notification.
package final class FederationSession: Sendable {
    package typealias Machine = FederationMachine

    /// Functions that the session calls to tell its owner of changes.
    package struct Observers: Sendable {
        /// A round waits to be aggregated.
        var aggregationDue: @Sendable (FederationID) -> Void
        var event: @Sendable (FederationID, AuditEvent) -> Void
        /// The session has applied what another writer stored: the federation before and after.
        var reloaded: @Sendable (_ before: FederationMachine, _ after: FederationMachine) -> Void

        package init(
            aggregationDue: @escaping @Sendable (FederationID) -> Void,
            event: @escaping @Sendable (FederationID, AuditEvent) -> Void,
            reloaded: @escaping @Sendable (FederationMachine, FederationMachine) -> Void = { _, _ in }
        ) {
            self.aggregationDue = aggregationDue
            self.event = event
            self.reloaded = reloaded
        }
    }

    package let id: FederationID
    private let metadata: any MetadataStore
    private let presence: any Presence
    private let clock: any WallClock
    private let sampler: any ClientSampler
    private let observers: Observers
    private let state: Mutex<State>
    /// The last round whose merge is known to be kept only in the running total.
    let mergesFoldedThrough = Atomic<Int>(0)
    let watchers = Watchers()

    private struct State {
        var snapshot: FederationSnapshot
        /// Clients that called since the last tick and may be admitted to a round.
        var arrivals: Set<ClientName> = []
        var isStoring = false
        var queued: [Queued] = []
        /// The newest revision of another writer that the session was told of.
        var heardOf: Int64 = 0
        /// The newest of them that the session could not read. The next tick tries again.
        var missed: Int64 = 0
    }

    /// What a caller wants.
    private enum Work {
        case event(any StepRequest)
        /// To know what is stored.
        case reading

        /// The event, where it may share its step with others. An event that spends a lease has a step of its own, so
        /// that an invalid lease fails no other.
        var sharedEvent: (any StepRequest)? {
            if case .event(let request) = self, request.lease == nil { request } else { nil }
        }
    }

    private struct Queued {
        let work: Work
        let continuation: CheckedContinuation<Turn, Never>
    }

    /// What a queued caller is told: another caller did its work, or it must do it itself, and others' with it.
    private enum Turn: Sendable {
        case taken(StoreError?)
        case leads
    }

    /// The events of one step. While its first one waits for the federation's lock, others may join.
    private final class Batch: Sendable {
        /// The most events of one step.
        private static let limit = 500

        let first: any StepRequest
        private let joined = Mutex<[Queued]>([])

        init(_ first: any StepRequest) { self.first = first }

        var followers: [Queued] { joined.withLock { $0 } }

        /// Adds the queued events that may share the step. All events, in order.
        func requests(joinedFrom queue: inout [Queued]) -> [any StepRequest] {
            guard first.lease == nil else { return [first] }
            let others = joined.withLock { joined in
                let new = queue.prefix { $0.work.sharedEvent != nil }.prefix(Self.limit - 1 - joined.count)
                queue.removeFirst(new.count)
                joined += new
                return joined
            }
            return [first] + others.compactMap(\.work.sharedEvent)
        }
    }

    /// A new session cannot know who called while the server was down, so it counts every client as seen now.
    package init(
        _ stored: StoredFederation, metadata: any MetadataStore, presence: any Presence, clock: any WallClock,
        sampler: any ClientSampler, observers: Observers
    ) {
        id = stored.machine.settings.id
        self.metadata = metadata
        self.presence = presence
        self.clock = clock
        self.sampler = sampler
        self.observers = observers
        presence.presume(stored.machine.clients.keys, seenAt: clock.now())
        state = Mutex(State(snapshot: FederationSnapshot(machine: stored.machine, createdAt: stored.createdAt)))
    }

    /// The adapter's shape and the strategy.
    func plan() throws(ServiceError) -> AdapterPlan { try snapshot.plan() }

    /// The same for the sum of a round, with the server's learning rate after the plateaus before it.
    func plan(ofSum round: Int) throws(ServiceError) -> AdapterPlan {
        let machine = snapshot.machine
        var settings = machine.settings
        let rate = machine.serverLearningRate(inRound: round)
        guard rate != settings.server.learningRate else { return try plan() }
        settings.server.learningRate = rate
        do throws(SettingsError) { return try AdapterPlan(settings) } catch { throw .settings(error) }
    }

    /// Like `plan()`, but nil while the template is missing.
    func planIfAny() throws(ServiceError) -> AdapterPlan? {
        do throws(ServiceError) { return try plan() } catch .draft { return nil }
    }

    /// The largest allowed length of an update, in bytes, in a round that continues from the last published one.
    func updateByteLimit(round: Int) throws(ServiceError) -> Int {
        try plan().updateByteLimit(round: round, after: snapshot.machine.publishedRound)
    }

    package var snapshot: FederationSnapshot { state.withLock { $0.snapshot } }

    /// When a client last called.
    package func lastSeen(_ client: ClientName) -> Timestamp? { presence.lastSeen(client) }

    /// How many clients called since `oldest` and have not said that they have ended.
    func clientsSeen(since oldest: Timestamp) -> Int {
        presence.snapshot.values.reduce(0) { $0 + (!$1.isAbsent && $1.at >= oldest ? 1 : 0) }
    }

    /// Applies an event and returns once its step is durable.
    ///
    /// - Parameter lease: the lease that the step spends; the step then holds this event alone.
    package func perform<Success, Failure>(
        _ event: Machine.Event<Success, Failure>, spending lease: Lease? = nil
    ) async throws(StoreError) -> Result<Success, Failure> {
        let request = EventRequest(event, lease: lease)
        try await perform(.event(request))
        return request.reply
    }

    /// Notes that a client called. The next tick admits it to the round where that may change something.
    package func touch(_ client: ClientName) {
        presence.touch(client, at: clock.now())
        state.withLock { state in
            if state.snapshot.machine.maySelect(client) { state.arrivals.insert(client) }
        }
    }

    /// Notes that a client has ended. No round selects it until it calls again.
    package func leave(_ client: ClientName) {
        presence.leave(client)
        state.withLock { _ = $0.arrivals.remove(client) }
    }

    /// Ends expired waits, reads what could not be read when it was announced, admits clients that called, and advances
    /// the federation where time requires it.
    package func tick() async throws(StoreError) {
        let now = clock.now()
        watchers.expire(at: now)
        try await catchUp(to: state.withLock { $0.missed })
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

    /// Applies steps of other writers that the session does not have yet.
    package func catchUp(to revision: Int64) async throws(StoreError) {
        let isBehind = state.withLock { state in
            guard state.snapshot.machine.revision < revision else { return false }
            state.heardOf = max(state.heardOf, revision)
            // A step under way may be the announced one. Its caller checks again at the end.
            return !state.isStoring
        }
        if isBehind { try await perform(.reading) }
    }

    /// Applies what is stored by now, however old the session's copy is.
    package func refresh() async throws(StoreError) { try await perform(.reading) }

    /// The round as it is stored now, for the holder of its lease; nil where it does not wait to be aggregated.
    ///
    /// Only the holder can end or reopen the round, so nothing changes its updates as long as the lease is valid. A copy
    /// from before the lease may be older: another holder may have reopened the round, and it may have closed again.
    package func closedRound(_ number: Int) async throws(StoreError) -> RoundMachine? {
        try await refresh()
        guard let round = snapshot.machine.round, round.number == number, round.phase == .aggregating else {
            return nil
        }
        return round
    }

    /// Ends everybody's wait without a snapshot.
    package func endWaits() { watchers.endAll() }

    /// The first snapshot whose revision is above `revision`, or `nil` once `deadline` has passed.
    package func snapshot(after revision: Int64, until deadline: Timestamp) async -> FederationSnapshot? {
        await watchers.wait(for: { $0.machine.revision > revision }, until: deadline) { self.snapshot }
    }

    /// Waits until no round is being aggregated; false if the deadline passes first.
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
    /// Has the work done, by this caller or another one.
    private func perform(_ work: Work) async throws(StoreError) {
        let turn: Turn = await withCheckedContinuation { continuation in
            let leads = state.withLock { state in
                guard state.isStoring else {
                    state.isStoring = true
                    return true
                }
                state.queued.append(Queued(work: work, continuation: continuation))
                return false
            }
            if leads { continuation.resume(returning: .leads) }
        }
        switch turn {
        case .taken(let error): if let error { throw error }
        case .leads: try await lead(with: work)
        }
    }

    /// Does this work and what others may share of it, then passes the lead to the next queued caller.
    private func lead(with work: Work) async throws(StoreError) {
        let error: StoreError?
        let followers: [Queued]
        switch work {
        case .event(let request):
            let batch = Batch(request)
            error = await step(batch)
            // A store that is away fails everybody at once, and not one after the other.
            if error != nil { state.withLock { _ = batch.requests(joinedFrom: &$0.queued) } }
            followers = batch.followers
        case .reading:
            followers = takeReaders()
            error = await read()
        }
        for follower in followers { follower.continuation.resume(returning: .taken(error)) }
        var next = takeNext()
        while case .catchUp(let revision) = next {
            if await read() != nil { state.withLock { $0.missed = max($0.missed, revision) } }
            next = takeNext()
        }
        if case .lead(let queued) = next { queued.continuation.resume(returning: .leads) }
        if let error { throw error }
    }

    private func takeReaders() -> [Queued] {
        state.withLock { state in
            let readers = state.queued.prefix { if case .reading = $0.work { true } else { false } }
            state.queued.removeFirst(readers.count)
            return Array(readers)
        }
    }

    /// What is to be done next, once a step has ended.
    private enum Next {
        case lead(Queued)
        /// Somebody else has stored a step that the session does not have, of this revision or an earlier one.
        case catchUp(to: Int64)
        case nothing
    }

    private func takeNext() -> Next {
        state.withLock { state in
            // The next step catches up by itself.
            guard state.queued.isEmpty else { return .lead(state.queued.removeFirst()) }
            let heardOf = state.heardOf
            state.heardOf = 0
            if heardOf > state.snapshot.machine.revision { return .catchUp(to: heardOf) }
            state.isStoring = false
            return .nothing
        }
    }

    /// A stored step, and the federation before it.
    private struct Stored: Sendable {
        let basis: FederationMachine
        let machine: FederationMachine
        let changes: [Change]
    }

    /// Applies the events to the stored state, stores the changes, and then publishes the new snapshot.
    ///
    /// - Returns: the error where nothing was stored.
    private func step(_ batch: Batch) async -> StoreError? {
        let current = snapshot
        let stored: Stored
        do throws(StoreError) {
            stored = try await metadata.step(on: current.machine) { [self] basis in
                presume(basis, after: current.machine)
                var next = basis
                let requests = state.withLock { batch.requests(joinedFrom: &$0.queued) }
                let changes = next.step(
                    in: .init(now: clock.now(), seen: presence.snapshot, sampler: sampler)
                ) { machine, step in
                    for request in requests { request.apply(to: &machine, in: &step) }
                }
                presence.presume(changes.lazy.compactMap(\.client), seenAt: clock.now())
                return (
                    FederationStep(machine: next, changes: changes, spending: batch.first.lease),
                    Stored(basis: basis, machine: next, changes: changes)
                )
            }
        } catch {
            return error
        }
        show(stored, after: current)
        return nil
    }

    /// Publishes what is stored by now as the new snapshot.
    ///
    /// - Returns: the error where it could not be read.
    private func read() async -> StoreError? {
        let current = snapshot
        let basis: FederationMachine
        do throws(StoreError) { basis = try await metadata.current(current.machine) } catch { return error }
        presume(basis, after: current.machine)
        show(Stored(basis: basis, machine: basis, changes: []), after: current)
        return nil
    }

    /// Counts clients of another writer's steps as seen.
    private func presume(_ basis: FederationMachine, after known: FederationMachine) {
        guard basis.revision != known.revision else { return }
        presence.presume(basis.clients.changes(since: known.clients).map(\.key), seenAt: clock.now())
    }

    private func show(_ stored: Stored, after current: FederationSnapshot) {
        // Whatever was missed before is in the basis.
        state.withLock { $0.missed = 0 }
        let isReloaded = stored.basis.revision != current.machine.revision
        guard isReloaded || !stored.changes.isEmpty else { return }
        let snapshot = FederationSnapshot(machine: stored.machine, after: current)
        state.withLock { $0.snapshot = snapshot }
        if isReloaded { observers.reloaded(current.machine, stored.machine) }
        for case .event(let event) in stored.changes { observers.event(id, event) }
        watchers.wake(with: snapshot)
        let (before, after) = (current.machine.round?.phase, stored.machine.round?.phase)
        if after == .aggregating, after != before { observers.aggregationDue(id) }
    }
}
