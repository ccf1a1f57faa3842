import Aggregation
package import Federation
package import Logging
import Synchronization

/// The use cases of the server, one service each, over one store.
package struct Services: Sendable {
    package let access: Access
    package let federations: FederationService
    package let enrolment: EnrolmentService
    package let tokens: TokenService
    package let rounds: RoundService
    package let plans: PlanService
    package let updates: UpdateService
    package let uploads: UploadService
    package let templates: TemplateService
    package let configurations: ConfigurationService
    package let archives: ArchiveService
    package let adapters: AdapterService
    package let models: ModelService
    let parts: Parts
    private let aggregation: AggregationService
    private let folding: MergeFolding

    package init(
        store: some FederationStore & AdapterStore, partials: any PartialUploadStore,
        documents: any TemplateStore & ConfigurationStore, cache: AdapterCache,
        access: Access, clock: any WallClock, sampler: any ClientSampler = HashedSampler(),
        quotas: Quotas = Quotas(), threads: Int, uploadLimits: UploadService.Limits = .init(), logger: Logger
    ) {
        parts = Parts(
            store: store, adapters: store, partials: partials, templates: documents, configurations: documents,
            uploadLimits: uploadLimits, cache: cache, access: access,
            clock: clock, sampler: sampler, quotas: quotas, threads: threads, logger: logger)
        self.access = access
        federations = FederationService(parts: parts)
        enrolment = EnrolmentService(parts: parts)
        tokens = TokenService(parts: parts)
        rounds = RoundService(parts: parts)
        plans = PlanService(parts: parts)
        updates = UpdateService(parts: parts)
        uploads = UploadService(parts: parts)
        templates = TemplateService(parts: parts)
        configurations = ConfigurationService(parts: parts)
        archives = ArchiveService(parts: parts)
        adapters = AdapterService(parts: parts)
        models = ModelService(parts: parts)
        aggregation = AggregationService(parts: parts)
        folding = MergeFolding(parts: parts)
    }

    /// Takes up every stored federation where it stood. One that this version cannot run is set aside.
    package func resume() async throws(ServiceError) {
        do throws(StoreError) {
            let found = try await parts.store.federations()
            for stored in found.sound { parts.open(stored) }
            for one in found.unreadable {
                parts.setAside(one.id, for: one.reason, tokens: one.tokens, clients: one.clients)
            }
            try await uploads.resume()
        } catch {
            throw .store(error)
        }
        for session in parts.registry.all {
            let machine = session.snapshot.machine
            do throws(ServiceError) {
                try await resume(session)
            } catch .settings(let error) {
                parts.setAside(
                    session.id, for: "\(error)", tokens: machine.tokens.values, clients: machine.clients.values)
            }
        }
    }

    private func resume(_ session: FederationSession) async throws(ServiceError) {
        let machine = session.snapshot.machine
        let plan = try session.planIfAny()
        if machine.settings.adapter.template != nil {
            try await templates.resume(session)
        } else if machine.publishedRound == 0, let plan {
            try await parts.drawInitialAdapter(of: machine.settings, as: plan)
        }
        parts.folding.continuation.yield(session.id)
    }

    /// Does what is due while nobody asks, until the task is cancelled: aggregates rounds that close, and ticks.
    package func run(tickEvery interval: Duration = .milliseconds(200)) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await aggregateRounds() }
            while !Task.isCancelled {
                await tick()
                try? await Task.sleep(for: interval)
            }
        }
    }

    /// Aggregates the rounds that close and folds old merges, until the task is cancelled.
    package func aggregateRounds() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await aggregation.run() }
            group.addTask { await folding.run() }
        }
    }

    /// Ends long polls whose time is up, closes rounds at their deadlines and takes up aggregations that failed.
    package func tick() async {
        await uploads.sweep()
        for session in parts.registry.all {
            do throws(StoreError) {
                try await session.tick()
            } catch {
                parts.logger.error(
                    "a deadline could not be stored", metadata: ["federation": "\(session.id)", "reason": "\(error)"])
            }
            if session.snapshot.machine.round?.phase == .aggregating {
                parts.aggregation.add(session.id, at: parts.clock.now())
            }
        }
    }

    /// Every strategy that a federation can name.
    package var strategyNames: [String] { Strategy.names }

    /// Whether the server can serve: its store takes writes. Asked often, it answers what it found within a second.
    package func probe() async throws(ServiceError) {
        let now = parts.clock.now()
        if let known = parts.lastProbe.withLock({ $0 }), (0..<1).contains(now.seconds(since: known.at)) {
            if let error = known.error { throw error }
            return
        }
        var found: ServiceError?
        do throws(StoreError) {
            try await parts.store.probe()
        } catch {
            found = .store(error)
        }
        parts.lastProbe.withLock { $0 = (now, found) }
        if let found { throw found }
    }
}
