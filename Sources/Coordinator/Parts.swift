import AdapterFormat
import Aggregation
import Federation
import Logging
import Synchronization

/// What the services share.
final class Parts: Sendable {
    let store: any FederationStore
    let adapters: any AdapterStore
    let cache: AdapterCache
    let partials: any PartialUploadStore
    let templates: any TemplateStore
    let configurations: any ConfigurationStore
    let uploadLimits: UploadService.Limits
    let access: Access
    let clock: any WallClock
    let sampler: any ClientSampler
    let quotas: Quotas
    /// How many threads work on the modules of an adapter.
    let threads: Int
    let logger: Logger
    let registry = FederationRegistry()
    let uploads = UploadTable()
    let room = UpdateByteReservations()
    let freshBlobs = FreshBlobs()
    /// Whose templates are being taken.
    let templating = FederationLocks()
    let aggregation: AggregationQueue
    /// When the store was last tried, and what was wrong with it.
    let lastProbe = Mutex<(at: Timestamp, error: ServiceError?)?>(nil)
    /// Checks updates, several at once.
    let validation = BlockingQueue(label: "validation", concurrent: true)
    /// Renders adapters as they are stored.
    let rendering = RenderingLanes(queues: [BlockingQueue(label: "rendering.0"), BlockingQueue(label: "rendering.1")])
    /// Sums merges for download. What is summed goes only while the queues of this and of `modelling` are idle.
    let merging = RenderingLanes(queues: [BlockingQueue(label: "merging")])
    /// Sums merges and adapters into models, which takes longer than clients should wait for a merge.
    let modelling = RenderingLanes(queues: [BlockingQueue(label: "modelling")])
    /// The federations whose old merges may be folded.
    let folding = AsyncStream.makeStream(of: FederationID.self)

    init(
        store: any FederationStore, adapters: any AdapterStore, partials: any PartialUploadStore,
        templates: any TemplateStore, configurations: any ConfigurationStore,
        uploadLimits: UploadService.Limits, cache: AdapterCache, access: Access,
        clock: any WallClock, sampler: any ClientSampler, quotas: Quotas, threads: Int,
        logger: Logger
    ) {
        self.store = store
        self.adapters = adapters
        self.partials = partials
        self.templates = templates
        self.configurations = configurations
        self.uploadLimits = uploadLimits
        self.cache = cache
        self.access = access
        self.clock = clock
        self.sampler = sampler
        self.quotas = quotas
        self.threads = threads
        self.logger = logger
        aggregation = AggregationQueue()
    }

    /// Lets in those who hold a federation's tokens.
    func admit(_ tokens: some Sequence<IssuedToken>, _ clients: some Sequence<Client>, of id: FederationID) {
        Self.admit(tokens, clients, of: id, to: access)
    }

    private static func admit(
        _ tokens: some Sequence<IssuedToken>, _ clients: some Sequence<Client>, of id: FederationID, to access: Access
    ) {
        for token in tokens { access.grant(token, of: id) }
        for client in clients {
            let principal = Principal.client(id, client.name)
            if client.revokedAt == nil {
                access.grant(principal, toTokenWithHash: client.token)
            } else {
                access.revoke(principal, tokenWithHash: client.token)
            }
        }
    }

    /// Leaves a stored federation alone that this version cannot run. Those who hold its tokens are let in, to be told so:
    /// to be refused for their tokens would end clients that had better wait.
    func setAside(
        _ id: FederationID, for reason: String, tokens: some Sequence<IssuedToken>, clients: some Sequence<Client>
    ) {
        logger.error(
            "a federation is set aside: this version cannot run it as it is stored",
            metadata: ["federation": "\(id)", "reason": "\(reason)"])
        admit(tokens, clients, of: id)
        registry.setAside(id)
    }

    /// Begins a session for a stored federation and lets its tokens in.
    func open(_ stored: StoredFederation) {
        let id = stored.machine.settings.id
        admit(stored.machine.tokens.values, stored.machine.clients.values, of: id)
        let (aggregation, clock) = (aggregation, clock)
        registry.add(
            FederationSession(
                stored, store: store, clock: clock, sampler: sampler,
                onAggregationDue: { aggregation.add($0, at: clock.now()) },
                onEvent: { [logger] in logger.record($1, of: $0) },
                onReload: { [access] in Self.admit($0.tokens.values, $0.clients.values, of: id, to: access) }))
    }

    /// The session, for a client that is registered and not revoked.
    func activeSession(of federation: FederationID, for client: ClientName) throws(ServiceError) -> FederationSession {
        let session = try registry.session(federation)
        guard let known = session.snapshot.machine.clients[client] else { throw .unknownClient(client) }
        guard known.revokedAt == nil else { throw .revoked(client) }
        return session
    }

    /// What a round left in a slot of the store.
    func stored(_ slot: AdapterSlot, of federation: FederationID, round: Int) -> StoredAdapter {
        StoredAdapter(store: adapters, address: AdapterAddress(federation: federation, round: round, slot: slot))
    }

    /// Writes version 0, drawn from the federation's seed.
    func drawInitialAdapter(of settings: FederationSettings, as plan: AdapterPlan) async throws(ServiceError) {
        try await storeInitialAdapter(of: settings.id) { target in
            try InitialAdapter(seed: settings.seed).draw(
                plan.strategy.publishedShape(of: plan.shape, round: 0), threads: self.threads, into: &target)
        }
    }

    /// Writes version 0 as a template has it.
    func storeInitialAdapter(
        of settings: FederationSettings, from file: AdapterFile, as plan: AdapterPlan
    ) async throws(ServiceError) {
        try await storeInitialAdapter(of: settings.id) { target in
            for module in plan.shape.modules {
                guard let factors = file.factors(of: module, rank: module.maximumRank) else { continue }
                try target.take(factors, of: module)
            }
            for tensor in plan.shape.dense {
                guard let values = file.values(of: tensor) else { continue }
                try target.take(values, of: tensor)
            }
        }
    }

    /// Writes version 0 anew on a queue of its own, so that a large one holds up no other federation's.
    private func storeInitialAdapter(
        of federation: FederationID, by fill: @escaping @Sendable (inout StoredAdapterWriter) throws -> Void
    ) async throws(ServiceError) {
        try await BlockingQueue(label: "drawing").run { () throws(ServiceError) in
            do {
                var target = StoredAdapterWriter(to: self.stored(.adapter, of: federation, round: 0))
                try target.clear()
                try fill(&target)
                try target.flush()
            } catch let error as StoreError {
                throw .store(error)
            } catch {
                throw .internalFailure("version 0 could not be written: \(error)")
            }
        }
    }

    /// Deletes the blobs that no record refers to.
    func sweep() async throws(ServiceError) {
        do throws(StoreError) { try await store.sweepBlobs() } catch { throw .store(error) }
    }

    /// The round whose adapter is meant, which must have published one; nil means the newest.
    func publishedRound(_ round: Int?, of machine: FederationMachine) async throws(ServiceError) -> Int {
        guard let round else { return machine.publishedRound }
        if round == 0 || round == machine.publishedRound { return round }
        let seen = try await RoundService(parts: self).round(round, of: machine.settings.id)
        guard case .published = seen.round.phase else { throw .noAdapter(round: round) }
        if machine.settings.retention != nil {
            let id = machine.settings.id
            let kept: [Int]
            do throws(StoreError) {
                kept = try await validation.run { () throws(StoreError) in
                    try self.adapters.rounds(of: .adapter, in: id)
                }
            } catch {
                throw .store(error)
            }
            guard kept.contains(round) else { throw .adapterDropped(round: round, kept: kept) }
        }
        return round
    }
}

extension Logger {
    /// What happened to a federation, as the audit log has it; what single clients do is for debugging.
    func record(_ event: AuditEvent, of federation: FederationID) {
        let level: Level = event.kind.hasPrefix("round.") || event.kind.hasPrefix("federation.") ? .info : .debug
        var metadata: Metadata = ["federation": "\(federation)"]
        if let round = event.round { metadata["round"] = "\(round)" }
        if let client = event.client { metadata["client"] = "\(client)" }
        if let detail = event.detail { metadata["detail"] = "\(detail)" }
        log(level: level, "\(event.kind)", metadata: metadata)
    }
}
