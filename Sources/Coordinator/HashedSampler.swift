import Crypto
package import Federation

/// Draws clients by hashing seed, round and name: whoever has the smallest hashes is selected.
///
/// The draw depends on nothing else, so it can be replayed from the audit log on any machine.
package struct HashedSampler: ClientSampler {
    package init() {}

    package func sample(_ count: Int, of candidates: [ClientName], seed: UInt64, round: Int) -> [ClientName] {
        let drawn: [(key: UInt64, client: ClientName)] = candidates.map {
            (Self.hash(seed: seed, round: round, client: $0), $0)
        }
        return drawn.sorted { $0 < $1 }.prefix(count).map(\.client).sorted()
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
