/// Draws a round's clients; a port, since the draw needs cryptographic hashing.
package protocol ClientSampler: Sendable {
    /// `count` of `candidates` in ascending order; the same arguments always give the same clients, so that a selection
    /// can be replayed.
    func sample(_ count: Int, of candidates: [ClientName], seed: UInt64, round: Int) -> [ClientName]
}
