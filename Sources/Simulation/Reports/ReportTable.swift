import Charts
import Foundation

/// The figures of a group's strategies.
package struct ReportTable: Sendable {
    private static let columns = [
        "strategy", "seeds", "rounds", "final accuracy", "test loss", "rounds to 80%", "rounds to 90%", "MB a round",
        "s a round",
    ]
    let table: ChartTable

    package init(_ group: ReportGroup) {
        let rows = group.series.map { series in
            let seeds = series.seeds.map(String.init).joined(separator: ", ")
            return [
                series.label, series.unfinished == 0 ? seeds : "\(seeds) (\(series.unfinished) unfinished)",
                "\(series.rounds)", Self.percent(series.finalAccuracy), Self.number(series.finalLoss.mean, places: 4),
                Self.list(series.roundsTo(accuracy: 0.8)), Self.list(series.roundsTo(accuracy: 0.9)),
                Self.number(series.bytesPerRound / 1e6, places: 2), Self.number(series.secondsPerRound, places: 1),
            ]
        }
        table = ChartTable(columns: Self.columns, rows: rows)
    }

    package var markdown: String { table.markdown }

    private static func percent(_ spread: SeriesSummary.Spread) -> String {
        let mean = number(spread.mean * 100, places: 2) + "%"
        return spread.deviation.map { "\(mean) ± \(number($0 * 100, places: 2))" } ?? mean
    }

    private static func list(_ rounds: [Int?]) -> String {
        rounds.map { $0.map(String.init) ?? "–" }.joined(separator: ", ")
    }

    private static func number(_ value: Double, places: Int) -> String { String(format: "%.\(places)f", value) }
}
