import AdapterFormat
import Aggregation
import Dispatch
import Federation
import Logging
import Synchronization

/// Turns a closed round's updates into the next global adapter and publishes it.
///
/// Running it again from the start gives the same bytes, so a run that was cut off leaves nothing to repair.
struct AggregationService: Sendable {
    let parts: Parts
    /// One round at a time is added up on each, so that a large one holds up no other federation's.
    private let queues = [BlockingQueue(label: "aggregation.0"), BlockingQueue(label: "aggregation.1")]

    init(parts: Parts) { self.parts = parts }

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
            for await federation in parts.aggregation.line {
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
        guard let session = try? parts.registry.session(federation), let round = session.snapshot.machine.round,
            round.phase == .aggregating
        else { return parts.aggregation.finished(federation) }
        do {
            let event: FederationMachine.Event
            do throws(Failure) {
                event = .aggregated(try await publish(round, in: session, on: queue), round: round.number)
            } catch .hopeless(let reason) {
                event = .aggregationFailed(reason: reason, round: round.number)
            } catch .lost(let reasons) {
                event = .lost(reasons, round: round.number)
            } catch .passing(let reason) {
                throw StoreError.failed(reason)
            }
            _ = try await session.perform(event)
            parts.aggregation.finished(federation)
            if session.snapshot.machine.round?.phase == .aggregating {
                parts.aggregation.add(federation, at: parts.clock.now())
            }
            parts.folding.continuation.yield(federation)
        } catch {
            parts.aggregation.failed(federation, at: parts.clock.now())
            parts.logger.error(
                "a round could not be aggregated and will be tried again",
                metadata: ["federation": "\(federation)", "round": "\(round.number)", "reason": "\(error)"])
            return
        }
        await tidy(after: round, in: session, on: queue)
    }

    /// Deletes what the round's end leaves without use.
    private func tidy(after round: RoundMachine, in session: FederationSession, on queue: BlockingQueue) async {
        parts.freshBlobs.forget(round.updates.values.map(\.digest))
        let round = round.number
        do {
            try await parts.store.sweepBlobs()
            let momentCount = try session.plan().strategy.optimizer.momentCount
            let isPublished = session.snapshot.machine.publishedRound == round
            try await queue.run { () throws(StoreError) in
                if !isPublished {
                    var recorder = RoundRecorder(
                        round: round, of: session.id, momentCount: momentCount, parts: parts)
                    try recorder.clear()
                } else if round > 1 {
                    for index in 0..<momentCount {
                        try parts.adapters.remove(.moment(index), ofRounds: 1...round - 1, in: session.id)
                    }
                }
            }
        } catch {
            parts.logger.error("what nobody needs could not be deleted", metadata: ["reason": "\(error)"])
        }
        await RetentionService(parts: parts).apply(to: session)
    }

    private func publish(
        _ round: RoundMachine, in session: FederationSession, on queue: BlockingQueue
    ) async throws(Failure) -> PublishedAdapter {
        do {
            let plan = try session.plan()
            let machine = session.snapshot.machine
            // What a former run has left may be of other updates.
            parts.cache.forget(session.id, rounds: [round.number])
            let file = try await parts.rendering.publishing {
                let rendered = try await queue.run { () throws(Failure) in
                    try add(up: round, as: plan, after: machine)
                }
                if let rendered { return rendered }
                return try await AdapterService(parts: parts).file(
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
            let path = parts.store.blobPath(of: update.digest)
            if parts.freshBlobs.contains(
                update.digest, byteCount: update.byteCount, at: path, now: parts.clock.now())
            {
                return
            }
            do throws(BlobError) {
                try BlobCheck(digest: update.digest, byteCount: update.byteCount).check(fileAt: path)
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
            let contributions = try round.accepted.map { update in
                Contribution(
                    client: update.client.rawValue,
                    adapter: try plan.open(parts.store.blobPath(of: update.digest), round: round.number, after: last),
                    samples: update.samples, accuracy: update.metrics.accuracy,
                    discount: Self.discount(of: update, in: round, by: settings.policy))
            }
            let earlier = EarlierRound(
                round: last,
                previous: parts.stored(.adapter, of: settings.id, round: last),
                initial: parts.stored(.adapter, of: settings.id, round: 0),
                moments: (0..<momentCount).map { parts.stored(.moment($0), of: settings.id, round: last) })
            var recorder = RoundRecorder(
                round: round.number, of: settings.id, momentCount: momentCount, parts: parts
            ) { [cache = parts.cache] outline in
                try PublishedRendering(
                    of: outline, round: round.number, as: plan,
                    into: cache.begin(AdapterService.wholeKey(ofRound: round.number, in: settings.id, plan)))
            }
            try Aggregator(strategy: plan.strategy, shape: plan.shape, scaling: plan.scaling, seed: settings.seed)
                .aggregate(contributions, round: round.number, after: earlier, threads: parts.threads, into: &recorder)
            return try recorder.finish()
        } catch let error as AggregationError {
            throw .hopeless("\(error)")
        } catch let refusal as UpdateRefusal {
            throw .hopeless("an accepted update can be read no more: \(refusal.detail)")
        } catch {
            throw .passing("\(error)")
        }
    }
}
