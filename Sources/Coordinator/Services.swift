import Aggregation
package import CoreMetrics
package import Federation
package import Logging

/// The server's use cases, one service each, over shared stores.
package struct Services: Sendable {
    package let access: Access
    package let shared: SharedAccess
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
    package let regions: RegionService
    package let evaluations: EvaluationService
    package let adapters: AdapterService
    package let models: ModelService
    let runtime: FederationRuntime
    private let stores: Stores
    private let initial: InitialAdapters
    let aggregation: AggregationWorker
    private let folding: MergeFolding
    private let readiness: Readiness
    let clock: any WallClock
    private let logger: Logger

    package init(
        stores: Stores, cache: AdapterCache, access: Access, clock: any WallClock,
        sampler: any ClientSampler = HashedSampler(), quotas: Quotas = Quotas(), threads: Int,
        uploadLimits: UploadService.Limits = .init(), partLimits: PartLimits = PartLimits(),
        metrics factory: any MetricsFactory = NOOPMetricsHandler.instance, logger: Logger
    ) {
        let metrics = CoordinatorMetrics(factory)
        var stores = stores
        stores.metadata = MeteredMetadataStore(store: stores.metadata, metrics: metrics)
        self.stores = stores
        self.access = access
        self.clock = clock
        self.logger = logger
        let due = AggregationQueue()
        let freshBlobs = FreshBlobs()
        let modelLanes = ModelLanes()
        let adapterLanes = RenderingLanes(
            queues: [BlockingQueue(label: "rendering.0"), BlockingQueue(label: "rendering.1")])

        runtime = FederationRuntime(
            metadata: stores.metadata, steps: stores.steps, presence: stores.presence, access: access,
            aggregation: due, clock: clock, sampler: sampler, forget: { cache.forget($0) }, logger: logger)
        shared = SharedAccess(
            runtime: runtime, access: access, credentials: stores.credentials, steps: stores.steps, clock: clock)
        readiness = Readiness(metadata: stores.metadata, clock: clock)
        initial = InitialAdapters(adapters: stores.adapters, jobs: stores.jobs, threads: threads)
        rounds = RoundService(
            runtime: runtime, metadata: stores.metadata, adapters: stores.adapters, cache: cache, clock: clock)
        evaluations = EvaluationService(runtime: runtime, metadata: stores.metadata)
        plans = PlanService(runtime: runtime, clock: clock, serverCount: access.serverCount)
        tokens = TokenService(runtime: runtime, access: access, clock: clock)
        enrolment = EnrolmentService(runtime: runtime, access: access, credentials: stores.credentials)

        configurations = ConfigurationService(
            runtime: runtime, configurations: stores.configurations, clock: clock)
        updates = UpdateService(
            runtime: runtime, rounds: rounds, blobs: stores.blobs, configurations: stores.configurations,
            adapters: stores.adapters, reservations: UpdateByteReservations(), freshBlobs: freshBlobs, quotas: quotas,
            clock: clock)
        templates = TemplateService(
            runtime: runtime, blobs: stores.blobs, templates: stores.templates, initial: initial, logger: logger)
        uploads = UploadService(
            runtime: runtime, partials: stores.uploads, blobs: stores.blobs, updates: updates, templates: templates,
            limits: uploadLimits, clock: clock, metrics: metrics, logger: logger)

        adapters = AdapterService(
            runtime: runtime, rounds: rounds, adapters: stores.adapters, cache: cache, lanes: adapterLanes)
        models = ModelService(
            runtime: runtime, rounds: rounds, adapters: stores.adapters, cache: cache, lanes: modelLanes)
        let retention = RetentionService(
            adapters: stores.adapters, cache: cache, lanes: adapterLanes, logger: logger)
        folding = MergeFolding(
            runtime: runtime, jobs: stores.jobs, adapters: stores.adapters, lanes: modelLanes, logger: logger)
        let partWorker = PartWorker(
            parts: stores.parts, jobs: stores.jobs, blobs: stores.blobs,
            reader: UpdateReader(blobs: stores.blobs, freshBlobs: freshBlobs, clock: clock), threads: threads,
            logger: logger)
        aggregation = AggregationWorker(
            runtime: runtime, due: due, jobs: stores.jobs, parts: stores.parts, blobs: stores.blobs,
            freshBlobs: freshBlobs, adapters: stores.adapters, partWorker: partWorker, serving: adapters,
            retention: retention,
            folding: folding, clock: clock, threads: threads, partLimits: partLimits, metrics: metrics,
            logger: logger)

        federations = FederationService(
            runtime: runtime, metadata: stores.metadata, initial: initial, rounds: rounds, retention: retention,
            cache: cache, access: access, quotas: quotas, clock: clock, logger: logger)
        regions = RegionService(
            runtime: runtime, federations: federations, initial: initial, stores: stores, serving: adapters,
            retention: retention, partWorker: partWorker)
        archives = ArchiveService(
            runtime: runtime, archives: stores.archives, blobs: stores.blobs, templates: templates, folding: folding,
            quotas: quotas, logger: logger)
    }

    /// Resumes every stored federation. A federation that this version cannot run is set aside.
    package func resume() async throws(ServiceError) {
        do throws(StoreError) {
            let found = try await stores.metadata.federations()
            for stored in found.sound { runtime.open(stored) }
            for one in found.unreadable {
                runtime.setAside(one.id, for: one.reason, tokens: one.tokens, clients: one.clients)
            }
            try await uploads.resume()
        } catch {
            throw .store(error)
        }
        for session in runtime.all {
            let machine = session.snapshot.machine
            do throws(ServiceError) {
                try await resume(session)
            } catch .settings(let error) {
                runtime.setAside(
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
            try await initial.draw(machine.settings, as: plan)
        }
        folding.request(session.id)
    }

    /// Runs all background work until the task is cancelled: aggregation of closed rounds, and ticks.
    ///
    /// - Parameter aggregating: false where other servers aggregate rounds and fold merges.
    package func run(tickEvery interval: Duration = .milliseconds(200), aggregating: Bool = true) async {
        await withTaskGroup(of: Void.self) { group in
            if aggregating {
                group.addTask { await aggregateRounds() }
            } else {
                group.addTask { await runtime.follow() }
            }
            while !Task.isCancelled {
                await tick()
                try? await Task.sleep(for: interval)
            }
        }
    }

    /// Aggregates closed rounds, folds old merges and follows other servers, until the task is cancelled.
    package func aggregateRounds() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await aggregation.run() }
            group.addTask { await folding.run() }
            group.addTask { await runtime.follow() }
        }
    }

    /// Ends expired long polls, closes rounds at their deadlines and retries failed aggregations.
    package func tick() async {
        await uploads.sweep()
        for session in runtime.all {
            do throws(StoreError) {
                try await session.tick()
            } catch {
                logger.error(
                    "a deadline could not be stored", metadata: ["federation": "\(session.id)", "reason": "\(error)"])
            }
            if session.snapshot.machine.round?.phase == .aggregating {
                aggregation.due.add(session.id, at: clock.now())
            }
        }
    }

    /// Every strategy that a federation can name.
    package var strategyNames: [String] { Strategy.names }

    /// Whether the server can serve.
    package func probe() async throws(ServiceError) { try await readiness.probe() }

    /// Renders every published adapter again and compares digests. Only files of the cache are written.
    package func audit() async throws(ServiceError) -> AdapterAudit {
        try await AdapterAudit(of: stores.metadata, stores.adapters, renderedBy: adapters)
    }
}
