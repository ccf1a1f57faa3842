package import Federation
import Logging
import Synchronization

/// The sessions of all federations that this server runs, and their tokens.
package final class FederationRuntime: Sendable {
    private struct State {
        var sessions: [FederationID: FederationSession] = [:]
        /// Stored federations that this version cannot run.
        var setAside: Set<FederationID> = []
        /// The number of federations that are being created.
        var reserved = 0
        /// Those that this server is creating.
        var created: Set<FederationID> = []
    }

    private let metadata: any MetadataStore
    private let steps: any StepFeed
    private let presence: any PresenceStore
    private let access: Access
    private let aggregation: AggregationQueue
    private let clock: any WallClock
    private let sampler: any ClientSampler
    /// Drops local copies of what a federation published that another server has deleted.
    private let forget: @Sendable (FederationID) -> Void
    private let logger: Logger
    private let state = Mutex(State())

    init(
        metadata: any MetadataStore, steps: any StepFeed, presence: any PresenceStore, access: Access,
        aggregation: AggregationQueue, clock: any WallClock, sampler: any ClientSampler,
        forget: @escaping @Sendable (FederationID) -> Void = { _ in }, logger: Logger
    ) {
        self.metadata = metadata
        self.steps = steps
        self.presence = presence
        self.access = access
        self.aggregation = aggregation
        self.clock = clock
        self.sampler = sampler
        self.forget = forget
        self.logger = logger
    }

    /// The session of a federation; throws where there is none or it is set aside.
    package func session(_ id: FederationID) throws(ServiceError) -> FederationSession {
        let (session, isSetAside) = state.withLock { ($0.sessions[id], $0.setAside.contains(id)) }
        guard let session else { throw isSetAside ? .setAside(id) : .unknownFederation(id) }
        return session
    }

    /// The session, for a client that is registered and not revoked.
    func activeSession(of federation: FederationID, for client: ClientName) throws(ServiceError) -> FederationSession {
        let session = try session(federation)
        guard let known = session.snapshot.machine.clients[client] else { throw .unknownClient(client) }
        guard known.revokedAt == nil else { throw .revoked(client) }
        return session
    }

    /// Whether calls of a federation have an answer of their own here.
    func knows(_ id: FederationID) -> Bool {
        state.withLock { $0.sessions[id] != nil || $0.setAside.contains(id) }
    }

    /// The number of federations that this version cannot run.
    var setAsideCount: Int { state.withLock { $0.setAside.count } }

    /// All sessions, in ascending order of name.
    package var all: [FederationSession] { state.withLock { $0.sessions.values.sorted { $0.id < $1.id } } }

    /// Begins a session for a stored federation and makes its tokens valid.
    @discardableResult
    func open(_ stored: StoredFederation) -> FederationSession {
        let id = stored.machine.settings.id
        access.admit(stored.machine.tokens.values, stored.machine.clients.values, of: id)
        let session = FederationSession(
            stored, metadata: metadata, presence: presence.presence(of: id), clock: clock, sampler: sampler,
            observers: .init(
                aggregationDue: { [aggregation, clock] in aggregation.add($0, at: clock.now()) },
                event: { [logger] in logger.record($1, of: $0) },
                reloaded: { [access] in access.follow($0, $1) }))
        putBack(session)
        return session
    }

    /// Makes a session that `remove` took away available again.
    func putBack(_ session: FederationSession) { state.withLock { $0.sessions[session.id] = session } }

    /// Makes the federation unavailable to calls.
    func remove(_ id: FederationID) {
        state.withLock { state in
            state.sessions[id] = nil
            state.setAside.remove(id)
        }
    }

    /// From now on calls of this federation are refused, because it cannot be run.
    func setAside(_ id: FederationID) {
        state.withLock { state in
            state.sessions[id] = nil
            state.setAside.insert(id)
        }
    }

    /// Registers a stored federation that this version cannot run. Its tokens are valid, so that callers learn the
    /// reason. A refused token would end clients that should wait.
    func setAside(
        _ id: FederationID, for reason: String, tokens: some Sequence<IssuedToken>, clients: some Sequence<Client>
    ) {
        logger.error(
            "a federation is set aside: this version cannot run it as it is stored",
            metadata: ["federation": "\(id)", "reason": "\(reason)"])
        access.admit(tokens, clients, of: id)
        setAside(id)
    }

    /// Reserves a place for one more federation, besides those that are being created. Throws where there are `limit`.
    /// The caller releases the place when the federation exists or has failed.
    func reserve(upTo limit: Int) throws(ServiceError) {
        let isReserved = state.withLock { state in
            let running = state.sessions.values.count { $0.snapshot.machine.state != .finished }
            guard running + state.setAside.count + state.reserved < limit else { return false }
            state.reserved += 1
            return true
        }
        guard isReserved else { throw .tooManyFederations(limit: limit) }
    }

    func release() { state.withLock { $0.reserved -= 1 } }

    /// Applies what other servers store, until the task is cancelled or the store closes.
    func follow() async {
        let news = steps.steps()
        // What was stored between the loading and this moment is announced to nobody.
        for session in all { await follow(StoredStep(federation: session.id, revision: .max)) }
        for await step in news { await follow(step) }
    }

    private func follow(_ step: StoredStep) async {
        do throws(StoreError) {
            try await apply(step)
        } catch {
            logger.error(
                "a federation could not be read again and will be at the next tick",
                metadata: ["federation": "\(step.federation)", "reason": "\(error)"])
        }
    }

    private func apply(_ step: StoredStep) async throws(StoreError) {
        let session = state.withLock { $0.sessions[step.federation] }
        switch (step.kind, session) {
        case (.gone, let session?):
            remove(step.federation)
            access.forget(tokensOf: step.federation)
            forget(step.federation)
            session.watchers.endAll()
        case (.gone, nil): remove(step.federation)
        case (.stored, let session?): try await session.catchUp(to: step.revision)
        case (.rewound, let session?): try await session.refresh()
        case (_, nil): try await find(step.federation)
        }
    }

    /// Opens a federation that another server has created; nothing where there is none or it is open.
    package func find(_ id: FederationID) async throws(StoreError) {
        guard state.withLock({ $0.sessions[id] == nil && !$0.setAside.contains(id) && !$0.created.contains(id) }),
            let stored = try await metadata.federation(id)
        else { return }
        do throws(SettingsError) {
            _ = try FederationService.checked(stored.machine.settings)
        } catch {
            return setAside(
                id, for: "\(error)", tokens: stored.machine.tokens.values, clients: stored.machine.clients.values)
        }
        open(stored)
        logger.notice("a federation of another server was opened", metadata: ["federation": "\(id)"])
    }

    /// Notes that this server is creating a federation, which it opens itself.
    func noteCreation(of id: FederationID) { state.withLock { _ = $0.created.insert(id) } }
    func noteCreated(_ id: FederationID) { state.withLock { _ = $0.created.remove(id) } }
}

extension Access {
    /// Makes a federation's tokens valid.
    func admit(_ tokens: some Sequence<IssuedToken>, _ clients: some Sequence<Client>, of id: FederationID) {
        for token in tokens { grant(token, of: id) }
        for client in clients {
            let principal = Principal.client(id, client.name)
            if client.revokedAt == nil {
                grant(principal, toTokenWithHash: client.token)
            } else {
                revoke(principal, tokenWithHash: client.token)
            }
        }
    }
}

extension Access {
    /// Applies what another server changed about a federation's tokens.
    func follow(_ before: FederationMachine, _ after: FederationMachine) {
        let id = after.settings.id
        admit(after.tokens.values, after.clients.changes(since: before.clients).map(\.value), of: id)
        for token in before.tokens.values where after.tokens[token.id] == nil { forget(tokenWithHash: token.hash) }
    }
}

extension Logger {
    /// Logs what happened to a federation, as in its audit log. Events of single clients have the debug level.
    fileprivate func record(_ event: AuditEvent, of federation: FederationID) {
        let level: Level = event.kind.hasPrefix("round.") || event.kind.hasPrefix("federation.") ? .info : .debug
        var metadata: Metadata = ["federation": "\(federation)"]
        if let round = event.round { metadata["round"] = "\(round)" }
        if let client = event.client { metadata["client"] = "\(client)" }
        if let detail = event.detail { metadata["detail"] = "\(detail)" }
        log(level: level, "\(event.kind)", metadata: metadata)
    }
}
