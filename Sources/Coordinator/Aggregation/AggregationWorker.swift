import AdapterFormat
import Aggregation
import Dispatch
import Federation
import Logging
import Synchronization

/// Turns a closed round's updates into the next global adapter and publishes it.
///
/// Running it again from the start gives the same bytes, so a run that was cut off leaves nothing to repair.
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
    let logger: Logger
    /// One round at a time is added up on each, so that a large one holds up no other federation's.
    private let queues = [BlockingQueue(label: "aggregation.0"), BlockingQueue(label: "aggregation.1")]

    /// Why a round cannot be aggregated, now or ever.
    private enum Failure: Error {
        /// The round can never be published.
        case hopeless(String)
        /// It may work another time.
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
        guard let session = try? runtime.session(federation), let round = session.snapshot.machine.round,
            round.phase == .aggregating
        else { return due.finished(federation) }
        do {
            let job = Job(.aggregation(round: round.number), of: federation)
            guard let lease = try await jobs.take(job) else { throw Failure.passing("another server has the job") }
            defer { folding.request(federation) }
            try await jobs.keeping(lease) { () async throws(StoreError) in
                try await aggregate(round, of: session, under: lease, on: queue)
            }
            due.finished(federation)
            if session.snapshot.machine.round?.phase == .aggregating { due.add(federation, at: clock.now()) }
        } catch {
            due.failed(federation, at: clock.now())
            logger.error(
                "a round could not be aggregated and will be tried again",
                metadata: ["federation": "\(federation)", "round": "\(round.number)", "reason": "\(error)"])
            return
        }
        await tidy(after: round, in: session, on: queue)
    }

    /// Adds a round up and stores what came of that.
    private func aggregate(
        _ round: RoundMachine, of session: FederationSession, under lease: Lease, on queue: BlockingQueue
    ) async throws(StoreError) {
        let outcome: FederationMachine.Event<Void, Never>
        do throws(Failure) {
            outcome = .aggregated(try await publish(round, in: session, on: queue), round: round.number)
        } catch {
            switch error {
            case .hopeless(let reason): outcome = .aggregationFailed(reason: reason, round: round.number)
            case .lost(let reasons): outcome = .lost(reasons, round: round.number)
            case .passing(let reason): throw .failed(reason)
            }
        }
        _ = try await session.perform(outcome, spending: lease)
    }

    /// Deletes what the round's end leaves without use.
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
                        round: round, of: session.id, momentCount: momentCount, in: adapters)
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
        _ round: RoundMachine, in session: FederationSession, on queue: BlockingQueue
    ) async throws(Failure) -> PublishedAdapter {
        do {
            let plan = try session.plan()
            let machine = session.snapshot.machine
            // What a former run has left may be of other updates.
            serving.cache.forget(session.id, rounds: [round.number])
            let file = try await serving.lanes.publishing {
                let rendered = try await queue.run { () throws(Failure) in
                    try add(up: round, as: plan, after: machine)
                }
                if let rendered { return rendered }
                return try await serving.file(
                    ofRound: round.number, in: session.id, as: plan, on: queue)
            }
            return PublishedAdapter(
                digest: file.digest, byteCount: file.byteCount, ranks: file.ranks,
                hasMerge: plan.strategy.publishesMerge)
        } catch let failure as Failure {
            throw failure
        } catch {
            throw .passing("\(error)")
        }
    }

    /// Reads every update that has not just come, several at a time: what is not what the client sent must not be added up.
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

    /// Whether an update's blob still is what its client sent.
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

    /// - Returns: the adapter's file, where it was written beside the sum.
    private func add(
        up round: RoundMachine, as plan: AdapterPlan, after machine: FederationMachine
    ) throws(Failure) -> AdapterCache.File? {
        // Beside the sum, whose result counts only if nothing is found.
        let checking = WorkBeside { () throws(Failure) in try checkBlobs(of: round) }
        let file: AdapterCache.File?
        do throws(Failure) {
            file = try sum(round, as: plan, after: machine)
        } catch {
            try checking.outcome()
            throw error
        }
        try checking.outcome()
        return file
    }

    private func sum(
        _ round: RoundMachine, as plan: AdapterPlan, after machine: FederationMachine
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
                round: round.number, of: settings.id, momentCount: momentCount, in: adapters
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
