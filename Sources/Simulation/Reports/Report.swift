import Charts
import Foundation

/// A page about simulations: curves and a table for each group of runs.
package struct Report: Sendable {
    private let page: ChartPage

    package init(title: String, groups: [ReportGroup]) {
        page = ChartPage(
            title: title,
            about: """
                Lines are means over seeds, bands go from the lowest to the highest seed. Point at a curve, or move through \
                it with the arrow keys, for its values; a name in the legend hides its curve.
                """,
            sections: groups.map {
                ChartPage.Section(title: $0.name, about: $0.about, charts: $0.charts, table: ReportTable($0).table)
            })
    }

    package func write(to path: String) throws(SimulationError) {
        do {
            try Data(try html().utf8).write(to: URL(filePath: path), options: .atomic)
        } catch {
            throw .file(path, reason: "\(error)")
        }
    }

    /// The page's text.
    func html() throws -> String { try page.html() }
}

extension ReportGroup {
    fileprivate var charts: ChartGroup {
        ChartGroup(
            step: "round",
            kinds: [
                .init(name: "Test accuracy", unit: "%", factor: 100, places: 2, limit: 100, isHigherBetter: true),
                .init(name: "Test loss", unit: "nats", factor: 1, places: 4),
                .init(name: "Traffic so far", unit: "MB", factor: 1e-6, places: 1, fromZero: true),
                .init(name: "Time so far", unit: "min", factor: 1 / 60, places: 1, fromZero: true),
            ],
            series: series.map {
                .init(label: $0.label, curves: [$0.accuracy, $0.loss, $0.bytes, $0.seconds])
            })
    }
}
