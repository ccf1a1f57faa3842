import Foundation

/// A page of curves and tables, in one file that loads nothing from a network.
package struct ChartPage: Sendable {
    /// A heading, a picture for each chart, and a table.
    package struct Section: Sendable {
        package let title: String
        package let about: String
        package let charts: ChartGroup
        package let table: ChartTable

        package init(title: String, about: String, charts: ChartGroup, table: ChartTable) {
            self.title = title
            self.about = about
            self.charts = charts
            self.table = table
        }
    }

    private let title: String
    private let about: String
    private let sections: [Section]

    /// - Parameter about: the text below the heading.
    package init(title: String, about: String, sections: [Section]) {
        self.title = title
        self.about = about
        self.sections = sections
    }

    /// The page's text.
    package func html() throws -> String {
        let sections = sections.enumerated().map { index, section in
            """
            <section>
            <h2>\(section.title.htmlEscaped)</h2>
            <p>\(section.about.htmlEscaped)</p>
            <div class="charts" data-group="\(index)"></div>
            \(section.table.html)
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
            \(ChartDrawing.style)
            \(Self.style)
            </style>
            </head>
            <body>
            <main>
            <h1>\(title.htmlEscaped)</h1>
            <p>\(about.htmlEscaped)</p>
            \(sections.joined(separator: "\n"))
            </main>
            <script type="application/json" id="data">\(try data())</script>
            <script>
            \(Self.script)
            </script>
            </body>
            </html>

            """
    }

    /// The data for the script. No text in it can close the element that contains it.
    private func data() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        return String(decoding: try encoder.encode(sections.map(\.charts)), as: UTF8.self)
            .replacingOccurrences(of: "<", with: "\\u003c")
    }

    /// Draws the curves of all sections.
    private static let script =
        ChartDrawing.functions + "\n" + #"""
            const groups = JSON.parse(document.getElementById("data").textContent);
            const labels = [...new Set(groups.flatMap(group => group.series).map(one => one.label))].sort();
            for (const holder of document.querySelectorAll(".charts")) {
              drawCharts(holder, groups[Number(holder.dataset.group)], labels);
            }
            """#
}
