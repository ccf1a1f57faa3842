/// A part of a closed round: the updates of consecutive clients, by ascending name.
package struct RoundPart: Sendable, Hashable {
    package let index: Int
    package let first: ClientName
    package let last: ClientName

    package init(index: Int, first: ClientName, last: ClientName) {
        self.index = index
        self.first = first
        self.last = last
    }

    package func contains(_ client: ClientName) -> Bool { first <= client && client <= last }
}

/// What a worker found in a part.
package enum PartResult: Sendable, Hashable {
    /// The blob of the partial sum.
    case sum(ContentDigest, byteCount: Int)
    /// The bytes of these clients' updates are lost, for these reasons.
    case lost([ClientName: String])
    /// The round can never be published.
    case hopeless(String)
}

/// A round that several workers add up.
package struct SharedRound: Sendable, Hashable {
    /// Stands for the updates that were shared out. A round that has reopened and closed again has another one.
    package let basis: ContentDigest
    /// Ascending by index.
    package let parts: [RoundPart]
    /// By index; parts that nobody has finished yet have none.
    package let results: [Int: PartResult]

    package init(basis: ContentDigest, parts: [RoundPart], results: [Int: PartResult] = [:]) {
        self.basis = basis
        self.parts = parts
        self.results = results
    }

    /// The parts that nobody has finished, ascending.
    package var open: [RoundPart] { parts.filter { results[$0.index] == nil } }
}

/// Lets several workers add the parts of one round. Each part is a job (`Job.Kind.part`) with a lease of its own, which
/// can be taken while the round is shared and the part has no result.
///
/// What is shared of a round goes with the step that publishes, fails or reopens the round, and the bytes of its results
/// go later. A write is durable as far as the leases are; a call that throws changed nothing.
package protocol PartStore: Sendable {
    /// How many servers take parts now, at least 1.
    var workerCount: Int { get }
    /// Shares a round out. A round that is shared out with the same basis stays as it is, with its results; of another
    /// basis, it is replaced.
    ///
    /// - Parameter lease: of the round's aggregation. Throws `.fenced` unless it is valid.
    /// - Returns: the round as it is shared now.
    func share(_ round: SharedRound, under lease: Lease) async throws(StoreError) -> SharedRound
    /// What is shared of a round; nil for nothing.
    func sharedRound(_ round: Int, of federation: FederationID) async throws(StoreError) -> SharedRound?
    /// Ends a part's job with its result. A sum's blob was published before by this server.
    ///
    /// - Parameter basis: of the round that was added. Throws `.fenced` where another one is shared by now, or where
    ///   somebody else has the part.
    func finish(_ lease: Lease, basis: ContentDigest, with result: PartResult) async throws(StoreError)
    /// Ends the sharing of a round whose results cannot be used.
    ///
    /// - Parameter lease: of the round's aggregation. Throws `.fenced` unless it is valid.
    func unshare(under lease: Lease) async throws(StoreError)
}
