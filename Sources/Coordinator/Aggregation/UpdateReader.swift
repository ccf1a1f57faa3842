import AdapterFormat
import Aggregation
import Dispatch
import Federation
import Synchronization

/// Opens accepted updates for a sum, and checks that their bytes are those that clients sent. Its calls block.
struct UpdateReader: Sendable {
    let blobs: any BlobStore
    let freshBlobs: FreshBlobs
    let clock: any WallClock

    /// Runs a sum of updates. Their bytes are checked beside it, and the sum counts only if nothing is found.
    func checking<Value>(
        _ updates: [Update], _ sum: () throws(AggregationFailure) -> Value
    ) throws(AggregationFailure) -> Value {
        let checking = WorkBeside { () throws(AggregationFailure) in try check(updates) }
        let value: Value
        do throws(AggregationFailure) {
            value = try sum()
        } catch {
            try checking.outcome()
            throw error
        }
        try checking.outcome()
        return value
    }

    /// Calls the body with the updates as contributions, whose files stay until it ends.
    ///
    /// - Parameters:
    ///   - prefix: what the clients' names begin with, where they are a region's.
    ///   - round: the closed round.
    func withContributions<Value>(
        of updates: [Update], named prefix: String = "", in round: RoundMachine, as plan: AdapterPlan,
        after machine: FederationMachine, _ body: ([Contribution]) throws -> Value
    ) throws(AggregationFailure) -> Value {
        do {
            let files = try updates.map { try lend($0) }
            defer { withExtendedLifetime(files) {} }
            let contributions = try zip(updates, files).map { update, file in
                Contribution(
                    client: prefix + update.client.rawValue,
                    adapter: try plan.open(file.path, round: round.number, after: machine.publishedRound),
                    samples: update.samples, accuracy: update.metrics.accuracy, loss: update.metrics.loss,
                    discount: Self.discount(of: update, in: round, by: machine.settings.policy),
                    digest: update.digest.hex)
            }
            return try body(contributions)
        } catch {
            throw AggregationFailure(error)
        }
    }

    /// The file of an update.
    func lend(_ update: Update) throws -> LentFile {
        guard let file = try blobs.lend(update.digest) else {
            throw AggregationFailure.lost([update.client: "its file is gone"])
        }
        return file
    }

    private static func discount(of update: Update, in round: RoundMachine, by policy: RoundPolicy) -> Double {
        guard let buffer = policy.buffer, let began = update.began else { return 1 }
        return Contribution.stalenessDiscount(age: round.number - began, exponent: buffer.stalenessExponent)
    }

    /// Reads every update that is not fresh, several at a time, so that no damaged update is aggregated.
    private func check(_ updates: [Update]) throws(AggregationFailure) {
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
}

extension AggregationFailure {
    /// What an error of a sum means for its round.
    init(_ error: any Error) {
        switch error {
        case let failure as AggregationFailure: self = failure
        case let error as AggregationError: self = .hopeless("\(error)")
        case let refusal as UpdateRefusal:
            self = .hopeless("an accepted update can be read no more: \(refusal.detail)")
        default: self = .passing("\(error)")
        }
    }
}
