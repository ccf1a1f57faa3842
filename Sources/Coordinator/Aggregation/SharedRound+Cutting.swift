import Crypto
import Federation
import Foundation

/// When a round is worth sharing among workers. A part costs the writing and reading of its sum: 16 bytes for each number
/// of the adapter.
package struct PartLimits: Sendable, Hashable {
    /// A part has at least so many bytes of updates.
    package var bytes: Int
    /// A part has at least so many clients.
    package var clients: Int

    package init(bytes: Int = 64 << 20, clients: Int = 8) {
        self.bytes = bytes
        self.clients = clients
    }
}

extension SharedRound {
    /// Cuts updates into parts of similar length, one for each worker.
    ///
    /// - Parameter updates: ascending by client.
    /// - Returns: nil where one worker adds them up as well.
    init?(_ updates: [Update], workers: Int, limits: PartLimits) {
        let bytes = updates.reduce(0) { $0 + $1.byteCount }
        let count = min(workers, bytes / max(1, limits.bytes), updates.count / max(1, limits.clients))
        guard count > 1 else { return nil }
        var parts: [RoundPart] = []
        var taken = 0
        var first = 0
        for index in 0..<count {
            // Each later part needs at least one client.
            let last = updates.count - (count - index)
            var end = first
            taken += updates[end].byteCount
            while end < last, index == count - 1 || taken < bytes / count * (index + 1) {
                end += 1
                taken += updates[end].byteCount
            }
            parts.append(RoundPart(index: index, first: updates[first].client, last: updates[end].client))
            first = end + 1
        }
        self.init(basis: Self.basis(of: updates), parts: parts)
    }

    /// Stands for updates and all that their sum depends on.
    static func basis(of updates: [Update]) -> ContentDigest {
        var hash = SHA256()
        for update in updates {
            let line = "\(update.digest) \(update.client) \(update.samples) \(update.began ?? 0)\n"
            hash.update(data: Data(line.utf8))
        }
        return ContentDigest(hash.finalize())
    }
}

extension ContentDigest {
    init(_ digest: SHA256Digest) {
        guard let value = ContentDigest(bytes: Array(digest)) else { preconditionFailure("SHA-256 has 32 bytes") }
        self = value
    }
}
