import AdapterFormat
import Aggregation
import Federation
import Logging
import Synchronization

/// Adds the merges of old rounds to one running total, so that the stored size stays bounded.
///
/// Each round is added by itself, so the total has the same bytes however many rounds one run folds. The new total is
/// written beside the current one and replaces it in one transaction, so an interrupted run needs no repair. The old
/// total is deleted once nobody reads it.
struct MergeFolding: Sendable {
    /// The merges of this many newest rounds are kept singly.
    static let singleRounds = 16

    private let runtime: FederationRuntime
    private let jobs: any JobStore
    private let adapters: any AdapterStore
    private let lanes: ModelLanes
    private let logger: Logger
    private let queue = BlockingQueue(label: "folding")
    /// The federations whose old merges may be folded.
    private let requests = AsyncStream.makeStream(of: FederationID.self)

    init(
        runtime: FederationRuntime, jobs: any JobStore, adapters: any AdapterStore, lanes: ModelLanes, logger: Logger
    ) {
        self.runtime = runtime
        self.jobs = jobs
        self.adapters = adapters
        self.lanes = lanes
        self.logger = logger
    }

    /// Asks for a look at a federation's merges.
    func request(_ federation: FederationID) { requests.continuation.yield(federation) }

    /// Folds merges on request, until the task is cancelled.
    func run() async {
        for await federation in requests.stream {
            do {
                let session = try runtime.session(federation)
                let plan = try session.plan()
                guard plan.strategy.publishesMerge else { continue }
                // The holder of the job folds all that is due.
                guard let lease = try await jobs.take(Job(.folding, of: federation)) else { continue }
                try await jobs.keeping(lease) { () async throws(StoreError) in
                    let folded = try await queue.run { () throws(StoreError) in
                        try fold(federation, plan.mergeShape, under: lease)
                    }
                    session.mergesFoldedThrough.store(folded, ordering: .relaxed)
                    try await lanes.alone { () throws(StoreError) in
                        try deleteFolded(through: folded, of: federation)
                    }
                }
            } catch {
                logger.error(
                    "merges could not be folded and will be after the next round",
                    metadata: ["federation": "\(federation)", "reason": "\(error)"])
            }
        }
    }

    /// Returns the round up to which merges are folded from now on.
    private func fold(
        _ federation: FederationID, _ shape: AdapterShape, under lease: Lease
    ) throws(StoreError) -> Int {
        let record = try adapters.merges(of: federation)
        let newest = record.published.last ?? record.foldedThrough
        let due = record.published.filter { $0 <= newest - Self.singleRounds }
        guard let last = due.last else { return record.foldedThrough }
        do {
            try writeTotal(through: last, adding: due, after: record.foldedThrough, of: federation, shape, under: lease)
        } catch {
            throw error as? StoreError ?? .failed("\(error)")
        }
        try adapters.foldMerges(through: last, of: federation, under: lease)
        return last
    }

    private func deleteFolded(through folded: Int, of federation: FederationID) throws(StoreError) {
        guard folded > 0 else { return }
        try adapters.remove(.merge, ofRounds: 1...folded, in: federation)
        if folded > 1 { try adapters.remove(.mergeTotal, ofRounds: 1...folded - 1, in: federation) }
    }

    private func writeTotal(
        through last: Int, adding rounds: [Int], after folded: Int, of federation: FederationID, _ shape: AdapterShape,
        under lease: Lease
    ) throws {
        var target = StoredAdapterWriter(
            to: StoredAdapter(.mergeTotal, of: federation, round: last, in: adapters), under: lease)
        try target.clear()
        let earlier = StoredAdapter(.mergeTotal, of: federation, round: folded, in: adapters)
        for module in shape.modules {
            var total = folded > 0 ? try earlier.factors(of: module, rank: .max) : nil
            for round in rounds {
                let merge = StoredAdapter(.merge, of: federation, round: round, in: adapters)
                guard let added = try merge.factors(of: module, rank: .max) else { continue }
                var sum = LowRankSum(shape: module)
                if let total { sum.add(total) }
                sum.add(added)
                total = try sum.factors()
            }
            if let total { try target.take(total, of: module) }
        }
        try target.flush()
    }
}
