/// Which rounds' adapters are kept, besides the newest one and version 0. The records of other rounds stay without
/// adapters.
package struct Retention: Sendable, Codable, Hashable {
    /// How many of the newest rounds are kept.
    package var last: Int
    /// Whether the best evaluated round is kept. Without evaluations that say which one that is, it is the round with the
    /// highest reported accuracy of the training; without accuracies, the one with the lowest loss.
    package var keepsBest: Bool
    /// Keeps each round whose number is a multiple of this; nil for none.
    package var every: Int?

    package init(last: Int = 1, keepsBest: Bool = false, every: Int? = nil) {
        self.last = last
        self.keepsBest = keepsBest
        self.every = every
    }

    /// The rounds whose adapters are deleted.
    ///
    /// - Parameters:
    ///   - rounds: the rounds that have adapters.
    ///   - metrics: the metrics of these rounds, as far as clients reported them.
    ///   - evaluated: the best evaluated round.
    package func dropped(
        among rounds: [Int], newest: Int, metrics: [Int: Metrics], best evaluated: Int? = nil
    ) -> [Int] {
        let ordered = rounds.filter { $0 > 0 && $0 <= newest }.sorted(by: >)
        var kept = Set(ordered.prefix(max(1, last)))
        if let every { kept.formUnion(ordered.filter { $0.isMultiple(of: every) }) }
        if keepsBest, let best = evaluated ?? Self.best(of: ordered, metrics) { kept.insert(best) }
        return ordered.filter { !kept.contains($0) }
    }

    /// The best round; among equally good rounds, the newest.
    private static func best(of rounds: [Int], _ metrics: [Int: Metrics]) -> Int? {
        let accuracies = rounds.compactMap { round in metrics[round]?.accuracy.map { (round, $0) } }
        if let best = accuracies.max(by: { ($0.1, $0.0) < ($1.1, $1.0) }) { return best.0 }
        let losses = rounds.compactMap { round in metrics[round]?.loss.map { (round, $0) } }
        return losses.min { ($0.1, -$0.0) < ($1.1, -$1.0) }?.0
    }
}
