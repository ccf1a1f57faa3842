package import Charts

/// Runs of one strategy under different seeds, taken together.
package struct SeriesSummary: Sendable, Hashable {
    /// A mean with the sample's standard deviation; nil of one seed alone.
    package struct Spread: Sendable, Hashable {
        package let mean: Double
        package let deviation: Double?
    }

    package let label: String
    /// Tables of equal length, ascending by seed; at least one.
    private let tables: [[RoundRecord]]
    package let seeds: [UInt64]
    /// The number of left-out runs, which have fewer rounds than the others.
    package let unfinished: Int

    /// - Parameter runs: the table of every seed; tables shorter than the longest are left out.
    /// - Returns: nil where no run has a round.
    package init?(label: String, runs: [(seed: UInt64, records: [RoundRecord])]) {
        let longest = runs.map(\.records.count).max() ?? 0
        guard longest > 0 else { return nil }
        let finished = runs.filter { $0.records.count == longest }.sorted { $0.seed < $1.seed }
        self.label = label
        tables = finished.map(\.records)
        seeds = finished.map(\.seed)
        unfinished = runs.count - finished.count
    }

    package var rounds: Int { tables[0].count }
    package var finalAccuracy: Spread { spread { $0.testAccuracy } }
    package var finalLoss: Spread { spread { $0.testLoss } }

    package var accuracy: ChartCurve { curve { $0.map(\.testAccuracy) } }
    package var loss: ChartCurve { curve { $0.map(\.testLoss) } }
    /// Downloaded and uploaded since the first round.
    package var bytes: ChartCurve { curve { Self.sums($0.map { Double($0.bytesDown + $0.bytesUp) }) } }
    /// Passed since the first round.
    package var seconds: ChartCurve { curve { Self.sums($0.map(\.seconds)) } }

    package var bytesPerRound: Double { (bytes.mean.last ?? 0) / Double(rounds) }
    package var secondsPerRound: Double { (seconds.mean.last ?? 0) / Double(rounds) }

    /// The first round of each seed with at least `accuracy`; nil for a seed without one.
    package func roundsTo(accuracy: Double) -> [Int?] {
        tables.map { table in table.first { $0.testAccuracy >= accuracy }?.round }
    }

    private func spread(_ value: (RoundRecord) -> Double) -> Spread {
        let values = tables.compactMap(\.last).map(value)
        let mean = values.reduce(0, +) / Double(values.count)
        guard values.count > 1 else { return Spread(mean: mean, deviation: nil) }
        let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        return Spread(mean: mean, deviation: (squares / Double(values.count - 1)).squareRoot())
    }

    private func curve(_ values: ([RoundRecord]) -> [Double]) -> ChartCurve {
        let columns = tables.map(values)
        let found = (0..<rounds).map { round in columns.map { $0[round] } }
        return ChartCurve(
            mean: found.map { $0.reduce(0, +) / Double($0.count) }, low: found.map { $0.min() ?? 0 },
            high: found.map { $0.max() ?? 0 })
    }

    private static func sums(_ values: [Double]) -> [Double] {
        var total = 0.0
        return values.map { value in
            total += value
            return total
        }
    }
}
