/// The numbers of an ended round. In lists of rounds they replace its participations, updates and refusals.
package struct RoundSummary: Sendable, Codable, Hashable {
    package let selected: Int
    package let received: Int
    package let refused: Int
    package let loss: Double?
    package let accuracy: Double?
    /// The number of updates that reach every rank component, where the round requires some.
    package let coverage: Int?
    /// The total length of the updates that came. This and what follows are nil in rounds that ended under an earlier
    /// version.
    package let byteCount: Int?
    /// How many updates that count have each rank.
    package let ranks: [Int: Int]?
    /// The norms of the updates that count, where the federation measures them.
    package let norms: Range?

    /// The smallest, the middle and the largest of some numbers.
    package struct Range: Sendable, Codable, Hashable {
        package let low: Double
        package let median: Double
        package let high: Double

        /// - Returns: nil where there are no numbers.
        init?(of numbers: [Double]) {
            let ascending = numbers.sorted()
            guard let low = ascending.first, let high = ascending.last, let median = ascending.median else {
                return nil
            }
            (self.low, self.median, self.high) = (low, median, high)
        }
    }

    package init(_ round: RoundMachine, of adapter: FederationSettings.Adapter) {
        selected = round.participations.count
        received = round.receivedCount
        refused = round.refusals.count
        let metrics = round.metrics
        (loss, accuracy) = (metrics.loss, metrics.accuracy)
        coverage = round.minimumCoverage.flatMap { _ in round.coverage(in: adapter) }
        byteCount = round.heldByteCount
        let counted = round.accepted
        ranks = Dictionary(counted.map { ($0.rank, 1) }, uniquingKeysWith: +)
        norms = Range(of: counted.compactMap(\.norm))
    }
}

/// A round in a list of rounds.
package struct ListedRound: Sendable {
    /// Has no participations, updates and refusals where there is a summary.
    package let round: RoundMachine
    /// nil while the round has not ended.
    package let summary: RoundSummary?

    package init(round: RoundMachine, summary: RoundSummary?) {
        self.round = round
        self.summary = summary
    }
}
