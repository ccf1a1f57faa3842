/// Draws a round's clients and names lists of them; a port, since both need cryptographic hashing.
package protocol ClientSampler: Sendable {
    /// `count` of `candidates` in ascending order; the same arguments always give the same clients, in whatever order
    /// the candidates come, so that a selection can be replayed.
    func sample(
        _ count: Int, of candidates: [Candidate], by preference: RoundPolicy.Preference, seed: UInt64, round: Int
    ) -> [ClientName]
    /// SHA-256 of the UTF-8 of a text.
    func digest(of text: String) -> ContentDigest
}

/// Someone who may be drawn.
package struct Candidate: Sendable, Hashable {
    package let client: ClientName
    /// What the preference goes by: the samples that the client's chance is proportional to, the round in which it was
    /// last selected, or nothing.
    package let value: Int

    package init(client: ClientName, value: Int) {
        self.client = client
        self.value = value
    }
}
