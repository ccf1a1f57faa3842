import AdapterFormat
import Aggregation
import Federation
import Logging

/// Turns a closed round's updates into the next global adapter and publishes it.
///
/// Running it again from the start gives the same bytes, so a run that was cut off leaves nothing to repair.
struct AggregationService: Sendable {
    let parts: Parts
    /// How many threads add up modules.
    let threads: Int
    private let queue = BlockingQueue(label: "aggregation")

    init(parts: Parts, threads: Int) {
        self.parts = parts
        self.threads = threads
    }

    /// Why a round cannot be aggregated, now or ever.
    private enum Failure: Error {
        /// The round can never be published.
        case hopeless(String)
        /// It may work another time.
        case passing(String)
    }

    /// Aggregates rounds as they close, until the task is cancelled.
    func run() async {
        for await federation in parts.aggregation.line {
            await aggregate(federation)
        }
    }

    private func aggregate(_ federation: FederationID) async {
        guard let session = try? parts.registry.session(federation), let round = session.snapshot.machine.round,
            round.phase == .aggregating
        else { return parts.aggregation.finished(federation) }
        do {
            let event: FederationMachine.Event
            do throws(Failure) {
                event = .aggregated(try await publish(round, of: session.snapshot.machine), round: round.number)
            } catch .hopeless(let reason) {
                event = .aggregationFailed(reason: reason, round: round.number)
            } catch .passing(let reason) {
                throw StoreError.failed(reason)
            }
            _ = try await session.perform(event)
            parts.aggregation.finished(federation)
        } catch {
            parts.aggregation.failed(federation, at: parts.clock.now())
            parts.logger.error(
                "a round could not be aggregated and will be tried again",
                metadata: ["federation": "\(federation)", "round": "\(round.number)", "reason": "\(error)"])
            return
        }
        do throws(StoreError) {
            try await parts.store.sweepBlobs()
        } catch {
            parts.logger.error("blobs that nobody needs could not be deleted", metadata: ["reason": "\(error)"])
        }
    }

    private func publish(_ round: RoundMachine, of machine: FederationMachine) async throws(Failure) -> PublishedAdapter
    {
        let settings = machine.settings
        do {
            let plan = try parts.plan(of: settings)
            let target = parts.adapter(of: settings.id, round: round.number)
            let previous = parts.adapter(of: settings.id, round: machine.publishedRound)
            try await queue.run { () throws(Failure) in
                try add(up: round, as: plan, from: previous, into: target, settings: settings)
            }
            let key = AdapterCache.Key(
                federation: settings.id, round: round.number, rank: plan.maximumRank, type: plan.shape.type)
            let file = try await parts.cache.file(key, from: target, as: plan)
            return PublishedAdapter(digest: file.digest, byteCount: file.byteCount, ranks: plan.shape.maximumRanks)
        } catch let failure as Failure {
            throw failure
        } catch {
            throw .passing("\(error)")
        }
    }

    private func add(
        up round: RoundMachine, as plan: AdapterPlan, from previous: StoredAdapter, into target: StoredAdapter,
        settings: FederationSettings
    ) throws(Failure) {
        do {
            let contributions = try round.accepted.map { update in
                Contribution(
                    client: update.client.rawValue, adapter: try plan.open(parts.store.blobPath(of: update.digest)),
                    samples: update.samples, accuracy: update.metrics.accuracy)
            }
            try parts.adapters.removeAdapter(of: settings.id, round: round.number)
            var target = target
            try Aggregator(
                strategy: plan.strategy, shape: plan.shape, scaling: plan.scaling, seed: settings.seed
            ).aggregate(
                contributions, round: round.number, after: EarlierRound(previous: previous), threads: threads,
                into: &target)
        } catch let error as AggregationError {
            throw .hopeless("\(error)")
        } catch let refusal as UpdateRefusal {
            throw .hopeless("an accepted update can be read no more: \(refusal.detail)")
        } catch {
            throw .passing("\(error)")
        }
    }
}
