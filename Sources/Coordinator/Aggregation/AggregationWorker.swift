import AdapterFormat
import Aggregation
import CoreMetrics
import Dispatch
import Federation
import Logging
import Synchronization

/// Aggregates a closed round's updates into the next global adapter and publishes it.
///
/// A second run from the start gives the same bytes, so an interrupted run needs no repair.
struct AggregationWorker: Sendable {
    let runtime: FederationRuntime
    let due: AggregationQueue
    let jobs: any JobStore
    let blobs: any BlobStore
    let freshBlobs: FreshBlobs
    let adapters: any AdapterStore
    /// Renders what was published.
    let serving: AdapterService
    let retention: RetentionService
    let folding: MergeFolding
    let clock: any WallClock
    /// How many threads work on the modules of an adapter.
    let threads: Int
    let metrics: CoordinatorMetrics
    let logger: Logger
    /// Each queue aggregates one round at a time, so a large round does not delay all other federations.
    private let queues = [BlockingQueue(label: "aggregation.0"), BlockingQueue(label: "aggregation.1")]

    /// Why a round cannot be aggregated.
    private enum Failure: Error {
        /// The round can never be published.
        case hopeless(String)
        /// A later attempt may succeed.
        case passing(String)
        /// These clients have to send their updates again.
        case lost([ClientName: String])
    }

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
            seen.phase == .aggregating
        else { return due.finished(federation) }
        let ended = Mutex<RoundMachine?>(nil)
        do {
            let job = Job(.aggregation(round: seen.number), of: federation)
            guard let lease = try await jobs.take(job) else { return due.busy(federation, at: clock.now()) }
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
        do throws(Failure) {
            let adapter = try await publish(round, in: session, under: lease, on: queue)
            published = adapter.byteCount
            (event, outcome) = (.aggregated(adapter, round: round.number), .published)
        } catch {
            switch error {
            case .hopeless(let reason):
                (event, outcome) = (.aggregationFailed(reason: reason, round: round.number), .failed)
            case .lost(let reasons): (event, outcome) = (.lost(reasons, round: round.number), .reopened)
            case .passing(let reason): throw .failed(reason)
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

    private func publish(
        _ round: RoundMachine, in session: FederationSession, under lease: Lease, on queue: BlockingQueue
    ) async throws(Failure) -> PublishedAdapter {
        do {
            let began = ContinuousClock.now
            let plan = try session.plan()
            let machine = session.snapshot.machine
            // A rendering from an earlier run may be of other updates.
            serving.cache.forget(session.id, rounds: [round.number])
            let file = try await serving.lanes.publishing {
                let rendered = try await queue.run { () throws(Failure) in
                    try add(up: round, as: plan, after: machine, under: lease)
                }
                if let rendered { return rendered }
                return try await serving.file(
                    ofRound: round.number, in: session.id, as: plan, on: queue)
            }
            metrics.aggregationSeconds.recordNanoseconds(began.nanosecondsToNow)
            metrics.aggregatedBytes.increment(by: round.accepted.reduce(0) { $0 + $1.byteCount })
            return PublishedAdapter(
                digest: file.digest, byteCount: file.byteCount, ranks: file.ranks,
                hasMerge: plan.strategy.publishesMerge)
        } catch let failure as Failure {
            throw failure
        } catch {
            throw .passing("\(error)")
        }
    }

    /// Reads every update that is not fresh, several at a time, so that no damaged update is aggregated.
    private func checkBlobs(of round: RoundMachine) throws(Failure) {
        let updates = round.accepted
        let found = Mutex<[(client: ClientName, error: BlobError)]>([])
        DispatchQueue.concurrentPerform(iterations: updates.count) { index in
            let update = updates[index]
            do throws(BlobError) {
                try check(update)
            } catch {
                found.withLock { $0.append((update.client, error)) }
            }
        }
        var lost: [ClientName: String] = [:]
        for (client, error) in found.withLock({ $0 }) {
            switch error {
            case .lost(let reason): lost[client] = reason
            case .unreadable(let reason): throw .passing(reason)
            }
        }
        guard lost.isEmpty else { throw .lost(lost) }
    }

    /// Checks that an update's blob still has the bytes that its client sent.
    private func check(_ update: Update) throws(BlobError) {
        let lent: LentFile?
        do throws(StoreError) { lent = try blobs.lend(update.digest) } catch { throw .unreadable("\(error)") }
        guard let lent else { throw .lost("its file is gone") }
        defer { withExtendedLifetime(lent) {} }
        if freshBlobs.contains(update.digest, byteCount: update.byteCount, at: lent.path, now: clock.now()) { return }
        try BlobCheck(digest: update.digest, byteCount: update.byteCount).check(fileAt: lent.path)
    }

    private static func discount(of update: Update, in round: RoundMachine, by policy: RoundPolicy) -> Double {
        guard let buffer = policy.buffer, let began = update.began else { return 1 }
        return Contribution.stalenessDiscount(age: round.number - began, exponent: buffer.stalenessExponent)
    }

    /// - Returns: the adapter's file, where it was written during the aggregation.
    private func add(
        up round: RoundMachine, as plan: AdapterPlan, after machine: FederationMachine, under lease: Lease
    ) throws(Failure) -> AdapterCache.File? {
        // The check runs in parallel with the aggregation, whose result counts only if the check finds nothing.
        let checking = WorkBeside { () throws(Failure) in try checkBlobs(of: round) }
        let file: AdapterCache.File?
        do throws(Failure) {
            file = try sum(round, as: plan, after: machine, under: lease)
        } catch {
            try checking.outcome()
            throw error
        }
        try checking.outcome()
        return file
    }

    private func sum(
        _ round: RoundMachine, as plan: AdapterPlan, after machine: FederationMachine, under lease: Lease
    ) throws(Failure) -> AdapterCache.File? {
        let settings = machine.settings
        let momentCount = plan.strategy.optimizer.momentCount
        do {
            let last = machine.publishedRound
            let files = try round.accepted.map { update in
                guard let file = try blobs.lend(update.digest) else {
                    throw Failure.lost([update.client: "its file is gone"])
                }
                return file
            }
            defer { withExtendedLifetime(files) {} }
            let contributions = try zip(round.accepted, files).map { update, file in
                Contribution(
                    client: update.client.rawValue,
                    adapter: try plan.open(file.path, round: round.number, after: last),
                    samples: update.samples, accuracy: update.metrics.accuracy,
                    discount: Self.discount(of: update, in: round, by: settings.policy))
            }
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
            try Aggregator(strategy: plan.strategy, shape: plan.shape, scaling: plan.scaling, seed: settings.seed)
                .aggregate(contributions, round: round.number, after: earlier, threads: threads, into: &recorder)
            return try recorder.finish()
        } catch let failure as Failure {
            throw failure
        } catch let error as AggregationError {
            throw .hopeless("\(error)")
        } catch let refusal as UpdateRefusal {
            throw .hopeless("an accepted update can be read no more: \(refusal.detail)")
        } catch {
            throw .passing("\(error)")
        }
    }
}
