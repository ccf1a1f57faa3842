import AdapterFormat
import Aggregation
import CoreMetrics
import Dispatch
import Federation
import Foundation
import Logging
import Synchronization

/// Aggregates a closed round's updates into the next global adapter and publishes it.
///
/// A second run from the start gives the same bytes, so an interrupted run needs no repair.
struct AggregationWorker: Sendable {
    let runtime: FederationRuntime
    let due: AggregationQueue
    let jobs: any JobStore
    let parts: any PartStore
    let blobs: any BlobStore
    let freshBlobs: FreshBlobs
    let adapters: any AdapterStore
    let partWorker: PartWorker
    /// Renders what was published.
    let serving: AdapterService
    let retention: RetentionService
    let folding: MergeFolding
    let clock: any WallClock
    /// How many threads work on the modules of an adapter.
    let threads: Int
    /// When a round is shared among workers.
    let partLimits: PartLimits
    let metrics: CoordinatorMetrics
    let logger: Logger
    /// Each queue aggregates one round at a time, so a large round does not delay all other federations.
    private let queues = [BlockingQueue(label: "aggregation.0"), BlockingQueue(label: "aggregation.1")]

    /// Aggregates rounds as they close, until the task is cancelled.
    func run() async {
        await withTaskGroup(of: BlockingQueue.self) { group in
            var free = queues
            for await federation in due.line {
                let next = free.isEmpty ? await group.next() : free.removeLast()
                guard let queue = next else { return }
                group.addTask {
                    await aggregate(federation, on: queue)
                    return queue
                }
            }
        }
    }

    private func aggregate(_ federation: FederationID, on queue: BlockingQueue) async {
        guard let session = try? runtime.session(federation), let seen = session.snapshot.machine.round,
            seen.phase == .aggregating, session.snapshot.machine.settings.upstream == nil
        else { return due.finished(federation) }
        let ended = Mutex<RoundMachine?>(nil)
        do {
            let job = Job(.aggregation(round: seen.number), of: federation)
            guard let lease = try await jobs.take(job) else {
                let mayHelp = mayShare(session)
                if mayHelp { try await partWorker.addParts(ofRound: seen.number, in: session, on: queue) }
                return due.busy(federation, at: clock.now(), seconds: mayHelp ? 0.2 : 2)
            }
            defer { folding.request(federation) }
            try await jobs.keeping(lease) { () async throws(StoreError) in
                guard let round = try await session.closedRound(seen.number) else { return }
                try await aggregate(round, of: session, under: lease, on: queue)
                ended.withLock { $0 = round }
            }
            due.finished(federation)
            if session.snapshot.machine.round?.phase == .aggregating { due.add(federation, at: clock.now()) }
        } catch {
            due.failed(federation, at: clock.now())
            metrics.aggregations.add(1, to: CoordinatorMetrics.AggregationOutcome.retried.rawValue)
            logger.error(
                "a round could not be aggregated and will be tried again",
                metadata: ["federation": "\(federation)", "round": "\(seen.number)", "reason": "\(error)"])
            return
        }
        if let round = ended.withLock({ $0 }) { await tidy(after: round, in: session, on: queue) }
    }

    /// Aggregates a round and stores the outcome.
    private func aggregate(
        _ round: RoundMachine, of session: FederationSession, under lease: Lease, on queue: BlockingQueue
    ) async throws(StoreError) {
        let event: FederationMachine.Event<Void, Never>
        let outcome: CoordinatorMetrics.AggregationOutcome
        var published = 0
        do throws(AggregationFailure) {
            let (adapter, robust) = try await publish(round, in: session, under: lease, on: queue)
            published = adapter.byteCount
            (event, outcome) = (.aggregated(adapter, robust: robust, round: round.number), .published)
        } catch {
            switch error {
            case .hopeless(let reason):
                (event, outcome) = (.aggregationFailed(reason: reason, round: round.number), .failed)
            case .lost(let reasons): (event, outcome) = (.lost(reasons, round: round.number), .reopened)
            case .passing(let reason), .unusableParts(let reason): throw .failed(reason)
            }
        }
        _ = try await session.perform(event, spending: lease)
        count(outcome, of: round, published: published)
    }

    /// Counts how the aggregation of a round ended, and how long the round's clients have waited for its adapter.
    private func count(_ outcome: CoordinatorMetrics.AggregationOutcome, of round: RoundMachine, published: Int) {
        metrics.aggregations.add(1, to: outcome.rawValue)
        guard outcome == .published else { return }
        metrics.publishedBytes.increment(by: published)
        guard let closedAt = round.closedAt else { return }
        metrics.publicationSeconds.recordNanoseconds(Int64(max(0, clock.now().seconds(since: closedAt)) * 1e9))
    }

    /// Deletes what nobody needs after the round's end.
    private func tidy(after round: RoundMachine, in session: FederationSession, on queue: BlockingQueue) async {
        freshBlobs.forget(round.updates.values.map(\.digest))
        let round = round.number
        do {
            try await blobs.sweepBlobs()
            let momentCount = try session.plan().strategy.optimizer.momentCount
            let isPublished = session.snapshot.machine.publishedRound == round
            try await queue.run { () throws(StoreError) in
                if !isPublished {
                    var recorder = RoundRecorder(
                        round: round, of: session.id, momentCount: momentCount, in: adapters, under: nil)
                    try recorder.clear()
                } else if round > 1 {
                    for index in 0..<momentCount {
                        try adapters.remove(.moment(index), ofRounds: 1...round - 1, in: session.id)
                    }
                }
            }
        } catch {
            logger.error("what nobody needs could not be deleted", metadata: ["reason": "\(error)"])
        }
        await retention.apply(to: session)
    }

    private var reader: UpdateReader { partWorker.reader }

    /// Whether other workers could add parts of the federation's rounds.
    private func mayShare(_ session: FederationSession) -> Bool {
        guard parts.workerCount > 1, let plan = try? session.plan() else { return false }
        return plan.addsInParts
    }

    private func publish(
        _ round: RoundMachine, in session: FederationSession, under lease: Lease, on queue: BlockingQueue
    ) async throws(AggregationFailure) -> (PublishedAdapter, RobustOutcome) {
        do {
            let began = ContinuousClock.now
            let plan = try session.plan(ofSum: round.number)
            let machine = session.snapshot.machine
            let regions = Set(round.accepted.filter { machine.region(of: $0) != nil }.map(\.client))
            let direct = round.accepted.filter { !regions.contains($0.client) }
            let shared = try await addWithOthers(direct, in: round, of: session, as: plan, under: lease, on: queue)
            let staged = blobs.stage()
            let robust = Mutex(RobustOutcome())
            // A rendering from an earlier run may be of other updates.
            serving.cache.forget(session.id, rounds: [round.number])
            let file = try await serving.lanes.publishing {
                let rendered = try await queue.run { () throws(AggregationFailure) in
                    if shared == nil, regions.isEmpty {
                        let (file, outcome) = try add(up: round, as: plan, after: machine, under: lease)
                        robust.withLock { $0 = outcome }
                        return file
                    }
                    defer { unlink(staged.path) }
                    return try combine(
                        round, direct, sharedAs: shared, as: plan, after: machine, by: staged.path, under: lease)
                }
                if let rendered { return rendered }
                return try await serving.file(
                    ofRound: round.number, in: session.id, as: plan, on: queue)
            }
            metrics.aggregationSeconds.recordNanoseconds(began.nanosecondsToNow)
            metrics.aggregatedBytes.increment(by: round.accepted.reduce(0) { $0 + $1.byteCount })
            let adapter = PublishedAdapter(
                digest: file.digest, byteCount: file.byteCount, ranks: file.ranks,
                hasMerge: plan.strategy.publishesMerge)
            return (adapter, robust.withLock { $0 })
        } catch {
            let failure = AggregationFailure(error)
            if case .unusableParts = failure { try? await parts.unshare(under: lease) }
            throw failure
        }
    }

    /// Shares these updates of the round out among the workers, adds parts of it like they do, and waits until all are added.
    ///
    /// - Returns: nil where this worker adds the round up alone.
    private func addWithOthers(
        _ updates: [Update], in round: RoundMachine, of session: FederationSession, as plan: AdapterPlan,
        under lease: Lease, on queue: BlockingQueue
    ) async throws -> SharedRound? {
        guard plan.addsInParts else { return nil }
        // What an earlier holder of the lease has shared out goes on.
        let known = try await parts.sharedRound(round.number, of: session.id)
            .flatMap { $0.basis == SharedRound.basis(of: updates) ? $0 : nil }
        guard let cut = known ?? SharedRound(updates, workers: parts.workerCount, limits: partLimits) else {
            return nil
        }
        var shared = try await parts.share(cut, under: lease)
        logger.info(
            "a round is added in parts",
            metadata: ["federation": "\(session.id)", "round": "\(round.number)", "parts": "\(shared.parts.count)"])
        while true {
            try await partWorker.addParts(of: shared, updates, in: round, of: session, on: queue)
            guard let now = try await parts.sharedRound(round.number, of: session.id), now.basis == cut.basis else {
                throw AggregationFailure.passing("the round was shared out again, or has ended")
            }
            if now.open.isEmpty { return now }
            shared = now
            try await Task.sleep(for: .milliseconds(200))
        }
    }

    /// Combines the partial sums of workers and regions, and of this server's own clients.
    ///
    /// - Parameter path: where the sum of clients is written that nobody has added yet.
    /// - Returns: the adapter's file, where it was written during the aggregation.
    private func combine(
        _ round: RoundMachine, _ direct: [Update], sharedAs shared: SharedRound?, as plan: AdapterPlan,
        after machine: FederationMachine, by path: String, under lease: Lease
    ) throws(AggregationFailure) -> AdapterCache.File? {
        let regions = round.accepted.filter { machine.region(of: $0) != nil }
        let isOpen = shared == nil && !direct.isEmpty
        return try reader.checking(isOpen ? round.accepted : regions) { () throws(AggregationFailure) in
            if isOpen { _ = try partWorker.write(direct, in: round, as: plan, after: machine, to: path) }
            let sums = try PartialSums(
                of: shared, direct, summedAt: isOpen ? path : nil, regions: regions, reader)
            return try record(round, as: plan, after: machine, under: lease) { earlier, recorder in
                try sums.publish(after: earlier, threads: threads, into: &recorder)
            }
        }
    }

    /// - Returns: the adapter's file, where it was written during the aggregation, and what the robust rule did.
    private func add(
        up round: RoundMachine, as plan: AdapterPlan, after machine: FederationMachine, under lease: Lease
    ) throws(AggregationFailure) -> (AdapterCache.File?, RobustOutcome) {
        let updates = round.accepted
        return try reader.checking(updates) { () throws(AggregationFailure) in
            try reader.withContributions(of: updates, in: round, as: plan, after: machine) { contributions in
                var report: RobustReport?
                let file = try record(round, as: plan, after: machine, under: lease) { earlier, recorder in
                    report = try Aggregator(
                        strategy: plan.strategy, shape: plan.shape, scaling: plan.scaling, seed: machine.settings.seed
                    ).aggregate(
                        contributions, round: round.number, after: earlier, threads: threads, into: &recorder)
                }
                return (file, RobustOutcome(report, of: updates))
            }
        }
    }

    /// Stores what `sum` writes as the round's result.
    private func record(
        _ round: RoundMachine, as plan: AdapterPlan, after machine: FederationMachine, under lease: Lease,
        _ sum: (EarlierRound, inout RoundRecorder) throws -> Void
    ) throws(AggregationFailure) -> AdapterCache.File? {
        let settings = machine.settings
        let momentCount = plan.strategy.optimizer.momentCount
        let last = machine.publishedRound
        let earlier = EarlierRound(
            round: last,
            previous: StoredAdapter(.adapter, of: settings.id, round: last, in: adapters),
            initial: StoredAdapter(.adapter, of: settings.id, round: 0, in: adapters),
            moments: (0..<momentCount).map {
                StoredAdapter(.moment($0), of: settings.id, round: last, in: adapters)
            })
        var recorder = RoundRecorder(
            round: round.number, of: settings.id, momentCount: momentCount, in: adapters, under: lease
        ) { [cache = serving.cache] outline in
            try PublishedRendering(
                of: outline, round: round.number, as: plan,
                into: cache.begin(AdapterService.wholeKey(ofRound: round.number, in: settings.id, plan)))
        }
        do {
            try sum(earlier, &recorder)
            return try recorder.finish()
        } catch {
            throw AggregationFailure(error)
        }
    }
}

extension RobustOutcome {
    fileprivate init(_ report: RobustReport?, of updates: [Update]) {
        let reasons = Dictionary(uniqueKeysWithValues: (report?.leftOut ?? []).map { ($0.client, $0.reason) })
        var leftOut: [ClientName: String] = [:]
        for update in updates { leftOut[update.client] = reasons[update.client.rawValue] }
        self.init(leftOut: leftOut, notes: report?.notes ?? [])
    }
}

extension AdapterPlan {
    /// Whether several workers can add a round up: exact sums have the same bytes for any parts.
    var addsInParts: Bool { strategy.sum == .exact && strategy.optimizer == .none }
}
