import AdapterFormat
import Aggregation
import Federation

/// The partial sums of a closed round, opened and checked against the round's updates.
struct PartialSums {
    private let set: PartialSumSet
    /// The sums' files, which stay as long as this value.
    private let files: [LentFile]

    /// Opens the sums of all parts that workers have added.
    init(of shared: SharedRound, in round: RoundMachine, blobs: any BlobStore) throws(AggregationFailure) {
        var lost: [ClientName: String] = [:]
        var digests: [(part: RoundPart, digest: ContentDigest)] = []
        for part in shared.parts {
            switch shared.results[part.index] {
            case .sum(let digest, _): digests.append((part, digest))
            case .lost(let reasons): lost.merge(reasons) { one, _ in one }
            case .hopeless(let reason): throw .hopeless(reason)
            case nil: throw .unusableParts("part \(part.index) has no sum")
            }
        }
        guard lost.isEmpty else { throw .lost(lost) }
        do {
            let updates = round.accepted
            var files: [LentFile] = []
            var sums: [PartialSumFile] = []
            for (part, digest) in digests {
                guard let file = try blobs.lend(digest) else {
                    throw AggregationFailure.unusableParts("the sum of part \(part.index), \(digest), is gone")
                }
                let sum = try PartialSumFile(path: file.path)
                guard try sum.clients == PartialClients(of: updates.filter { part.contains($0.client) }) else {
                    throw AggregationFailure.unusableParts("the sum of part \(part.index) is of other updates")
                }
                files.append(file)
                sums.append(sum)
            }
            set = try PartialSumSet(sums)
            self.files = files
        } catch let failure as AggregationFailure {
            throw failure
        } catch let error as StoreError {
            throw .passing("\(error)")
        } catch {
            throw .unusableParts("\(error)")
        }
    }

    /// Publishes the round's result: the means over all clients.
    func publish(after earlier: EarlierRound, threads: Int, into recorder: inout RoundRecorder) throws {
        defer { withExtendedLifetime(files) {} }
        try set.publish(after: earlier, threads: threads, into: &recorder)
    }
}

extension PartialClients {
    /// The clients of updates, as a sum of them lists them.
    init(of updates: [Update]) throws(PartialSumError) {
        var collector = Collector()
        for update in updates { try collector.take(.init(client: update.client.rawValue, digest: update.digest.hex)) }
        self = try collector.finish()
    }
}
