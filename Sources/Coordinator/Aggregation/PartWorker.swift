import Aggregation
import Crypto
import DurableFiles
import Federation
import Foundation
import Logging

/// Adds parts of a round that the holder of its aggregation has shared out.
struct PartWorker: Sendable {
    let parts: any PartStore
    let jobs: any JobStore
    let blobs: any BlobStore
    let reader: UpdateReader
    let threads: Int
    let logger: Logger

    /// Adds parts of a round, one after another, until each is finished or somebody else's. Does nothing where the round
    /// is not shared.
    func addParts(ofRound number: Int, in session: FederationSession, on queue: BlockingQueue) async throws(StoreError)
    {
        guard let shared = try await parts.sharedRound(number, of: session.id) else { return }
        // The parts are of what was stored when they were cut, which this server may not have seen yet.
        guard let round = try await session.closedRound(number) else { return }
        let machine = session.snapshot.machine
        try await addParts(
            of: shared, round.accepted.filter { machine.region(of: $0) == nil }, in: round, of: session, on: queue)
    }

    /// The same, of updates that this server knows as they are stored.
    func addParts(
        of shared: SharedRound, _ updates: [Update], in round: RoundMachine, of session: FederationSession,
        on queue: BlockingQueue
    ) async throws(StoreError) {
        guard SharedRound.basis(of: updates) == shared.basis else { return }
        for part in shared.open {
            let job = Job(.part(round: round.number, index: part.index), of: session.id)
            guard !Task.isCancelled, let lease = try await jobs.take(job) else { continue }
            try await jobs.keeping(lease) { () async throws(StoreError) in
                let result = try await result(
                    of: updates.filter { part.contains($0.client) }, in: round, of: session, on: queue)
                do throws(StoreError) {
                    try await parts.finish(lease, basis: shared.basis, with: result)
                } catch .fenced {
                    logger.info(
                        "a part of a round is somebody else's by now",
                        metadata: ["federation": "\(session.id)", "round": "\(round.number)", "part": "\(part.index)"])
                }
            }
        }
    }

    /// Adds updates up and publishes their sum as a blob.
    private func result(
        of updates: [Update], in round: RoundMachine, of session: FederationSession, on queue: BlockingQueue
    ) async throws(StoreError) -> PartResult {
        let staged = blobs.stage()
        do {
            let plan = try session.plan()
            let machine = session.snapshot.machine
            let (digest, byteCount) = try await queue.run { () throws(AggregationFailure) in
                try reader.checking(updates) { () throws(AggregationFailure) in
                    try write(updates, in: round, as: plan, after: machine, to: staged.path)
                }
            }
            try await blobs.publish(staged, as: digest)
            return .sum(digest, byteCount: byteCount)
        } catch AggregationFailure.lost(let reasons) {
            await blobs.discard(staged)
            return .lost(reasons)
        } catch AggregationFailure.hopeless(let reason) {
            await blobs.discard(staged)
            return .hopeless(reason)
        } catch {
            await blobs.discard(staged)
            throw error as? StoreError ?? .failed("\(error)")
        }
    }

    /// Writes the partial sum of updates, with their list, into a file that is durable on return. Blocks.
    ///
    /// - Parameter prefix: what the clients' names begin with, where they are a region's.
    func write(
        _ updates: [Update], named prefix: String = "", in round: RoundMachine, as plan: AdapterPlan,
        after machine: FederationMachine,
        to path: String
    ) throws(AggregationFailure) -> (digest: ContentDigest, byteCount: Int) {
        try reader.withContributions(
            of: updates, named: prefix, in: round, as: plan, after: machine
        ) { contributions in
            let file = try OwnedFile(path, for: .creating)
            let settings = machine.settings
            try Aggregator(strategy: plan.strategy, shape: plan.shape, scaling: plan.scaling, seed: settings.seed)
                .writePart(
                    of: contributions, round: round.number, in: settings.id.rawValue, threads: threads,
                    to: PartialSumTarget(sum: file.number))
            try file.sync()
            return try Self.digest(of: path)
        }
    }

    private static func digest(of path: String) throws -> (digest: ContentDigest, byteCount: Int) {
        var hash = SHA256()
        var byteCount = 0
        let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
        while let piece = try file.read(upToCount: 1 << 20), !piece.isEmpty {
            hash.update(data: piece)
            byteCount += piece.count
        }
        return (ContentDigest(hash.finalize()), byteCount)
    }
}
