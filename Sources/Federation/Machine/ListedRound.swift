/// The numbers of a round that has ended, which stand for its participations, updates and refusals where many rounds are listed.
package struct RoundSummary: Sendable, Codable, Hashable {
    package let selected: Int
    package let received: Int
    package let refused: Int
    package let loss: Double?
    package let accuracy: Double?
    /// How many updates reach every rank component, where the round asks for some.
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

/// A round among others.
package struct ListedRound: Sendable {
    /// Without participations, updates and refusals where there is a summary.
    package let round: RoundMachine
    /// nil while the round goes on.
    package let summary: RoundSummary?

    package init(round: RoundMachine, summary: RoundSummary?) {
        self.round = round
        self.summary = summary
    }
}
