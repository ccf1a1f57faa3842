/// The numbers of an ended round. In lists of rounds they replace its participations, updates and refusals.
package struct RoundSummary: Sendable, Codable, Hashable {
    package let selected: Int
    package let received: Int
    package let refused: Int
    package let loss: Double?
    package let accuracy: Double?
    /// The number of updates that reach every rank component, where the round requires some.
    package let coverage: Int?

    package init(_ round: RoundMachine, of adapter: FederationSettings.Adapter) {
        selected = round.participations.count
        received = round.receivedCount
        refused = round.refusals.count
        let metrics = round.metrics
        (loss, accuracy) = (metrics.loss, metrics.accuracy)
        coverage = round.minimumCoverage.flatMap { _ in round.coverage(in: adapter) }
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
