import Foundation

/// The figures of a group's strategies, as Markdown and as HTML.
package struct ReportTable: Sendable {
    private static let columns = [
        "strategy", "seeds", "rounds", "final accuracy", "test loss", "rounds to 80%", "rounds to 90%", "MB a round",
        "s a round",
    ]
    private let rows: [[String]]

    package init(_ group: ReportGroup) {
        rows = group.series.map { series in
            let seeds = series.seeds.map(String.init).joined(separator: ", ")
            return [
                series.label, series.unfinished == 0 ? seeds : "\(seeds) (\(series.unfinished) unfinished)",
                "\(series.rounds)", Self.percent(series.finalAccuracy), Self.number(series.finalLoss.mean, places: 4),
                Self.list(series.roundsTo(accuracy: 0.8)), Self.list(series.roundsTo(accuracy: 0.9)),
                Self.number(series.bytesPerRound / 1e6, places: 2), Self.number(series.secondsPerRound, places: 1),
            ]
        }
    }

    package var markdown: String {
        ([Self.columns, Self.columns.map { _ in "---" }] + rows.map { ["`\($0[0])`"] + $0[1...] })
            .map { "| " + $0.joined(separator: " | ") + " |" }.joined(separator: "\n") + "\n"
    }

    var html: String {
        let head = Self.columns.map { "<th scope=\"col\">\($0)</th>" }.joined()
        let body = rows.map { row in
            "<tr><th scope=\"row\">\(row[0].htmlEscaped)</th>"
                + row.dropFirst().map { "<td>\($0.htmlEscaped)</td>" }.joined() + "</tr>"
        }
        return "<div class=\"scroll\" tabindex=\"0\"><table><thead><tr>\(head)</tr></thead><tbody>"
            + body.joined(separator: "\n") + "</tbody></table></div>"
    }

    private static func percent(_ spread: SeriesSummary.Spread) -> String {
        let mean = number(spread.mean * 100, places: 2) + "%"
        return spread.deviation.map { "\(mean) ± \(number($0 * 100, places: 2))" } ?? mean
    }

    private static func list(_ rounds: [Int?]) -> String {
        rounds.map { $0.map(String.init) ?? "–" }.joined(separator: ", ")
    }

    private static func number(_ value: Double, places: Int) -> String { String(format: "%.\(places)f", value) }
}

extension String {
    /// The text with HTML's special characters escaped.
    var htmlEscaped: String {
        var escaped = ""
        for character in self {
            switch character {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            default: escaped.append(character)
            }
        }
        return escaped
    }
}
