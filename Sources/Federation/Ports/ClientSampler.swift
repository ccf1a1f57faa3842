/// Draws a round's clients and digests lists of them. It is a port because both need cryptographic hashes.
package protocol ClientSampler: Sendable {
    /// Draws `count` of `candidates`, in ascending order. The result does not depend on the order of the candidates,
    /// and the same arguments always give the same clients, so that a selection can be replayed.
    func sample(
        _ count: Int, of candidates: [Candidate], by preference: RoundPolicy.Preference, seed: UInt64, round: Int
    ) -> [ClientName]
    /// SHA-256 of a text in UTF-8.
    func digest(of text: String) -> ContentDigest
}

/// A client that may be drawn.
package struct Candidate: Sendable, Hashable {
    package let client: ClientName
    /// The value on which the preference depends: the samples that the client's chance is proportional to, or the round
    /// that selected it last, or 0.
    package let value: Int

    package init(client: ClientName, value: Int) {
        self.client = client
        self.value = value
    }
}
