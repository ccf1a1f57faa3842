import AdapterFormat
import Aggregation
import Federation
import Logging
import Synchronization

/// Folds the merges of old rounds into one running total, so that what is kept of them stays bounded.
///
/// Round after round is added by itself, so the total has the same bytes however many rounds one run folds. It is written
/// beside the one in force, which it replaces in one transaction: a run that was cut off leaves nothing to repair. What it
/// replaced goes once nobody reads it.
struct MergeFolding: Sendable {
    /// The merges of so many rounds are kept single.
    static let singleRounds = 16

    let parts: Parts
    private let queue = BlockingQueue(label: "folding")

    init(parts: Parts) { self.parts = parts }

    /// Folds where there is something to fold, until the task is cancelled.
    func run() async {
        for await federation in parts.folding.stream {
            do {
                let session = try parts.registry.session(federation)
                let plan = try session.plan()
                guard plan.strategy.publishesMerge else { continue }
                let folded = try await queue.run { try fold(federation, plan.mergeShape) }
                session.mergesFoldedThrough.store(folded, ordering: .relaxed)
                try await parts.merging.queues[0].run { () throws(StoreError) in
                    try parts.modelling.queues[0].runBlocking { () throws(StoreError) in
                        try deleteFolded(through: folded, of: federation)
                    }
                }
            } catch {
                parts.logger.error(
                    "merges could not be folded and will be after the next round",
                    metadata: ["federation": "\(federation)", "reason": "\(error)"])
            }
        }
    }

    /// Answers the round up to which merges are folded from now on.
    private func fold(_ federation: FederationID, _ shape: AdapterShape) throws -> Int {
        let record = try parts.adapters.merges(of: federation)
        let newest = record.published.last ?? record.foldedThrough
        let due = record.published.filter { $0 <= newest - Self.singleRounds }
        if let last = due.last {
            try writeTotal(through: last, adding: due, after: record.foldedThrough, of: federation, shape)
            try parts.adapters.foldMerges(through: last, of: federation)
        }
        return due.last ?? record.foldedThrough
    }

    private func deleteFolded(through folded: Int, of federation: FederationID) throws(StoreError) {
        guard folded > 0 else { return }
        try parts.adapters.remove(.merge, ofRounds: 1...folded, in: federation)
        if folded > 1 { try parts.adapters.remove(.mergeTotal, ofRounds: 1...folded - 1, in: federation) }
    }

    private func writeTotal(
        through last: Int, adding rounds: [Int], after folded: Int, of federation: FederationID, _ shape: AdapterShape
    ) throws {
        var target = StoredAdapterWriter(to: parts.stored(.mergeTotal, of: federation, round: last))
        try target.clear()
        let earlier = parts.stored(.mergeTotal, of: federation, round: folded)
        for module in shape.modules {
            var total = folded > 0 ? try earlier.factors(of: module, rank: .max) : nil
            for round in rounds {
                let merge = parts.stored(.merge, of: federation, round: round)
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
