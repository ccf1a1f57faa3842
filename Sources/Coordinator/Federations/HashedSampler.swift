import Crypto
package import Federation
import Foundation

/// Samples clients by a hash of seed, round and name: those with the smallest hashes are selected.
///
/// The result depends only on the arguments, so it can be replayed from the audit log.
package struct HashedSampler: ClientSampler {
    package init() {}

    package func sample(
        _ count: Int, of candidates: [Candidate], by preference: RoundPolicy.Preference, seed: UInt64, round: Int
    ) -> [ClientName] {
        let drawn: [(key: Double, hash: UInt64, client: ClientName)] = candidates.map {
            let hash = Self.hash(seed: seed, round: round, client: $0.client)
            return (Self.key(of: $0, hash: hash, by: preference), hash, $0.client)
        }
        return drawn.sorted { ($0.key, $0.hash, $0.client) < ($1.key, $1.hash, $1.client) }.prefix(count)
            .map(\.client).sorted()
    }

    package func digest(of text: String) -> ContentDigest { Access.hash(text) }

    /// The sort key of a candidate that precedes its hash.
    ///
    /// With u from the hash, uniform in (0, 1), the smallest -ln(u)/w are a sample without replacement with chances
    /// proportional to w (Efraimidis and Spirakis, 2006).
    private static func key(of candidate: Candidate, hash: UInt64, by preference: RoundPolicy.Preference) -> Double {
        switch preference {
        case .uniform: 0
        case .leastRecent: Double(candidate.value)
        case .samples: -log((Double(hash >> 11) + 0.5) * 0x1p-53) / Double(max(1, candidate.value))
        }
    }

    /// The seed of a client's randomness in a round; small enough that JSON carries it exactly.
    package static func clientSeed(seed: UInt64, round: Int, client: ClientName) -> UInt64 {
        hash(seed: seed, round: round, client: client) >> 11
    }

    /// The first eight bytes, big-endian, of SHA-256 over "seed/round/name".
    static func hash(seed: UInt64, round: Int, client: ClientName) -> UInt64 {
        var key: UInt64 = 0
        for byte in SHA256.hash(data: Array("\(seed)/\(round)/\(client)".utf8)).prefix(8) {
            key = key << 8 | UInt64(byte)
        }
        return key
    }
}
