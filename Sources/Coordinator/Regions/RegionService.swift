import AdapterFormat
import Aggregation
package import Federation

/// What a regional server does with its copy of the root's federation: rounds open and end as the root's do, and the
/// region's clients are added up into one partial sum.
///
/// Every call can be repeated after a crash: what has been done already changes nothing.
package struct RegionService: Sendable {
    let runtime: FederationRuntime
    let federations: FederationService
    let initial: InitialAdapters
    let jobs: any JobStore
    let blobs: any BlobStore
    let adapters: any AdapterStore
    let serving: AdapterService
    let retention: RetentionService
    let partWorker: PartWorker
    private let queue = BlockingQueue(label: "region")

    /// A partial sum of the region's clients, to be sent to the root.
    package struct Sum: Sendable {
        /// A file that the caller deletes.
        package let path: String
        package let samples: Int
        package let metrics: Metrics
    }

    init(
        runtime: FederationRuntime, federations: FederationService, initial: InitialAdapters, stores: Stores,
        serving: AdapterService, retention: RetentionService, partWorker: PartWorker
    ) {
        self.runtime = runtime
        self.federations = federations
        self.initial = initial
        jobs = stores.jobs
        blobs = stores.blobs
        adapters = stores.adapters
        self.serving = serving
        self.retention = retention
        self.partWorker = partWorker
    }

    /// Creates the region's federation, unless it is there.
    ///
    /// - Parameter settings: the root's, with `upstream`.
    /// - Returns: whether it is new.
    package func begin(_ settings: FederationSettings) async throws(ServiceError) -> Bool {
        if let known = try? runtime.session(settings.id).snapshot.machine.settings {
            guard known.upstream != nil else {
                throw .settings(
                    SettingsError(path: "id", reason: "is \(settings.id), which is a federation of this server's own"))
            }
            do throws(SettingsError) { try Self.compare(known, withRoots: settings) } catch { throw .settings(error) }
            return false
        }
        _ = try await federations.create(settings)
        return true
    }

    /// Throws where the region's sums would not be of the root's rounds.
    private static func compare(
        _ own: FederationSettings, withRoots settings: FederationSettings
    ) throws(SettingsError) {
        let (own, roots) = (try AdapterPlan(own), try AdapterPlan(settings))
        let difference: PartialSumError?
        do throws(StrategyError) {
            difference = try own.partialPlan(of: settings.id, round: 1)
                .difference(from: roots.partialPlan(of: settings.id, round: 1))
        } catch {
            throw SettingsError(path: "strategy.sum", reason: "is refused: \(error)")
        }
        if case .differs(let key, let one, let other) = difference {
            throw SettingsError(
                path: "adapter", reason: "is another one than the root's: \(key) is \(other); expected \(one)")
        }
    }

    /// The region's federation as it stands.
    package func machine(of federation: FederationID) throws(ServiceError) -> FederationMachine {
        try runtime.session(federation).snapshot.machine
    }

    /// Waits until the federation is at a higher revision, for a minute at most.
    package func news(of federation: FederationID, after revision: Int64) async throws(ServiceError) -> Int64 {
        let session = try runtime.session(federation)
        let end = federations.clock.now().adding(seconds: 60)
        return await session.snapshot(after: revision, until: end)?.machine.revision ?? revision
    }

    /// Writes version 0 from the root's file, where it cannot be drawn from the seed.
    package func takeInitial(_ path: String, of federation: FederationID) async throws(ServiceError) {
        let session = try runtime.session(federation)
        let plan = try session.plan()
        let file: AdapterFile
        do throws(UpdateRefusal) { file = try plan.open(path, round: 1, after: 0) } catch { throw .update(error) }
        try await initial.take(file, of: session.snapshot.machine.settings, as: plan)
    }

    /// Opens a round that the root collects.
    package func open(
        _ round: Int, until deadline: Timestamp, in federation: FederationID
    ) async throws(ServiceError) {
        _ = try await runtime.session(federation).result(of: .openUpstream(round, until: deadline))
    }

    /// Ends a round without an adapter.
    package func fail(_ round: Int, reason: String, in federation: FederationID) async throws(ServiceError) {
        let session = try runtime.session(federation)
        _ = try await session.result(of: .aggregationFailed(reason: reason, round: round))
        try await tidy(session)
    }

    /// Ends the federation.
    package func finish(_ federation: FederationID) async throws(ServiceError) {
        _ = try await federations.setState(.finished, of: federation)
    }

    /// Adds up the updates of a closed round.
    ///
    /// - Parameter region: its name at the root, with which its clients' names begin there.
    /// - Returns: nil where the round has nothing to be sent, or an update was lost and is asked for again.
    package func sum(
        ofRound number: Int, in federation: FederationID, as region: ClientName
    ) async throws(ServiceError) -> Sum? {
        let session = try runtime.session(federation)
        let plan = try session.plan()
        do throws(StoreError) {
            guard let round = try await session.closedRound(number), round.acceptedCount > 0 else { return nil }
            let staged = blobs.stage()
            let machine = session.snapshot.machine
            do throws(AggregationFailure) {
                try await queue.run { () throws(AggregationFailure) in
                    try partWorker.reader.checking(round.accepted) { () throws(AggregationFailure) in
                        _ = try partWorker.write(
                            round.accepted, named: region.rawValue + RegionCheck.separator, in: round, as: plan,
                            after: machine, to: staged.path)
                    }
                }
                return Sum(
                    path: staged.path, samples: round.accepted.reduce(0) { $0 + $1.samples }, metrics: round.metrics)
            } catch {
                await blobs.discard(staged)
                switch error {
                case .lost(let reasons): _ = try await session.perform(.lost(reasons, round: number))
                case .hopeless(let reason):
                    _ = try await session.perform(.aggregationFailed(reason: reason, round: number))
                case .passing(let reason), .unusableParts(let reason): throw StoreError.failed(reason)
                }
                return nil
            }
        } catch {
            throw .store(error)
        }
    }

    /// Deletes a file that was staged for the root.
    package func discard(_ sum: Sum) async { await blobs.discard(SpoolFile(path: sum.path)) }

    /// Publishes the root's adapter of a round as the region's, also of a round in which the region had no part.
    ///
    /// - Parameters:
    ///   - path: the root's adapter at full rank, in F32.
    ///   - digest: of the adapter as the root publishes it.
    package func publish(
        _ path: String, digest: ContentDigest, asRound number: Int, in federation: FederationID
    ) async throws(ServiceError) {
        let session = try runtime.session(federation)
        let plan = try session.plan()
        _ = try await session.result(of: .closeUpstream(number))
        let known = session.snapshot.machine.round
        guard number > (known?.number ?? 0) || (known?.number == number && known?.phase == .aggregating) else { return }
        do throws(StoreError) {
            guard let lease = try await jobs.take(Job(.aggregation(round: number), of: federation)) else {
                throw .failed("round \(number) is being published")
            }
            try await jobs.keeping(lease) { () async throws(StoreError) in
                try await queue.run { () throws(StoreError) in
                    try store(path, asRound: number, of: federation, plan, under: lease)
                }
                serving.cache.forget(federation, rounds: [number])
                let file: AdapterCache.File
                do throws(ServiceError) {
                    file = try await serving.file(ofRound: number, in: federation, as: plan)
                } catch {
                    throw .failed("\(error)")
                }
                guard file.digest == digest else {
                    throw .failed("the adapter of round \(number) is \(file.digest) here; the root has \(digest)")
                }
                let adapter = PublishedAdapter(digest: file.digest, byteCount: file.byteCount, ranks: file.ranks)
                let event: FederationMachine.Event<Void, Never> =
                    known?.number == number
                    ? .aggregated(adapter, round: number) : .adoptUpstream(adapter, round: number)
                _ = try await session.perform(event, spending: lease)
            }
        } catch {
            throw .store(error)
        }
        try await tidy(session)
    }

    /// Writes the root's file into the round's slot. Blocks.
    private func store(
        _ path: String, asRound number: Int, of federation: FederationID, _ plan: AdapterPlan, under lease: Lease
    ) throws(StoreError) {
        let file: AdapterFile
        do throws(UpdateRefusal) { file = try plan.open(path, round: number, after: number - 1) } catch {
            throw .failed("the root's adapter cannot be read: \(error.detail)")
        }
        var target = StoredAdapterWriter(
            to: StoredAdapter(.adapter, of: federation, round: number, in: adapters), under: lease)
        try target.clear()
        try target.take(file, of: plan)
        try target.flush()
    }

    private func tidy(_ session: FederationSession) async throws(ServiceError) {
        do throws(StoreError) { try await blobs.sweepBlobs() } catch { throw .store(error) }
        await retention.apply(to: session)
    }
}
