import AdapterFormat
import Aggregation
import Federation

/// The partial sums of a closed round, opened and checked against the round's updates.
struct PartialSums {
    private let set: PartialSumSet
    /// The sums' files, which stay as long as this value.
    private let files: [LentFile]

    /// Opens the sums of all parts that workers have added, and of regions.
    ///
    /// - Parameters:
    ///   - shared: nil where no clients of this server's own are shared out.
    ///   - direct: these clients' updates.
    ///   - own: the path of the sum of all of them, where they are not shared out.
    init(
        of shared: SharedRound?, _ direct: [Update], summedAt own: String?, regions: [Update], _ reader: UpdateReader
    ) throws(AggregationFailure) {
        var files: [LentFile] = []
        var sums: [PartialSumFile] = []
        do {
            for result in try shared.map(Self.results) ?? [] {
                let (part, digest) = result
                guard let file = try reader.blobs.lend(digest) else {
                    throw AggregationFailure.unusableParts("the sum of part \(part.index), \(digest), is gone")
                }
                let sum: PartialSumFile
                do throws(PartialSumError) {
                    sum = try PartialSumFile(path: file.path, hasList: true)
                    guard try sum.clients == PartialClients(of: direct.filter { part.contains($0.client) }) else {
                        throw .clients("is of other updates than part \(part.index)")
                    }
                } catch {
                    throw AggregationFailure.unusableParts("\(error)")
                }
                files.append(file)
                sums.append(sum)
            }
            if let own { sums.append(try PartialSumFile(path: own, hasList: true)) }
            for region in regions {
                let file = try reader.lend(region)
                do throws(PartialSumError) {
                    sums.append(try PartialSumFile(path: file.path, hasList: true))
                } catch {
                    throw AggregationFailure.hopeless("the sum of \(region.client) can be read no more: \(error)")
                }
                files.append(file)
            }
            set = try PartialSumSet(sums)
            self.files = files
        } catch {
            throw AggregationFailure(error)
        }
    }

    /// The sums of a shared round's parts.
    private static func results(
        of shared: SharedRound
    ) throws(AggregationFailure) -> [(part: RoundPart, digest: ContentDigest)] {
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
        return digests
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
