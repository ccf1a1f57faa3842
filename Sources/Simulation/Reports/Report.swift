import Foundation

/// A page about simulations: curves and a table for each group of runs, in one file without network resources.
package struct Report: Sendable {
    private let title: String
    private let groups: [ReportGroup]

    package init(title: String, groups: [ReportGroup]) {
        self.title = title
        self.groups = groups
    }

    package func write(to path: String) throws(SimulationError) {
        do {
            try Data(try html().utf8).write(to: URL(filePath: path), options: .atomic)
        } catch {
            throw .file(path, reason: "\(error)")
        }
    }

    /// The page as HTML.
    func html() throws -> String {
        let sections = groups.enumerated().map { index, group in
            """
            <section>
            <h2>\(group.name.htmlEscaped)</h2>
            <p>\(group.about.htmlEscaped)</p>
            <div class="charts" data-group="\(index)"></div>
            \(ReportTable(group).html)
            </section>
            """
        }
        return """
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <title>\(title.htmlEscaped)</title>
            <style>
            \(ReportPage.style)
            </style>
            </head>
            <body>
            <main>
            <h1>\(title.htmlEscaped)</h1>
            <p>Lines are means over seeds, bands go from the lowest to the highest seed. Point at a curve, or move through \
            it with the arrow keys, for its values; a name in the legend hides its curve.</p>
            \(sections.joined(separator: "\n"))
            </main>
            <script type="application/json" id="data">\(try data())</script>
            <script>
            \(ReportPage.script)
            </script>
            </body>
            </html>

            """
    }

    /// The script's data; no text in it can end its HTML element.
    private func data() throws -> String {
        struct Series: Encodable {
            let label: String
            let accuracy, loss, bytes, seconds: SeriesSummary.Curve
        }
        let values = groups.map { group in
            group.series.map {
                Series(label: $0.label, accuracy: $0.accuracy, loss: $0.loss, bytes: $0.bytes, seconds: $0.seconds)
            }
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        return String(decoding: try encoder.encode(values), as: UTF8.self)
            .replacingOccurrences(of: "<", with: "\\u003c")
    }
}
