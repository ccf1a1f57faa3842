/// Figures in rows and columns, as Markdown and as HTML. The first cell of a row is its name.
package struct ChartTable: Sendable {
    private let columns: [String]
    private let rows: [[String]]

    package init(columns: [String], rows: [[String]]) {
        self.columns = columns
        self.rows = rows
    }

    package var markdown: String {
        ([columns, columns.map { _ in "---" }] + rows.map { $0.prefix(1).map { "`\($0)`" } + $0.dropFirst() })
            .map { "| " + $0.joined(separator: " | ") + " |" }.joined(separator: "\n") + "\n"
    }

    package var html: String {
        let head = columns.map { "<th scope=\"col\">\($0.htmlEscaped)</th>" }.joined()
        let body = rows.map { row in
            "<tr>" + row.prefix(1).map { "<th scope=\"row\">\($0.htmlEscaped)</th>" }.joined()
                + row.dropFirst().map { "<td>\($0.htmlEscaped)</td>" }.joined() + "</tr>"
        }
        return "<div class=\"scroll\" tabindex=\"0\"><table><thead><tr>\(head)</tr></thead><tbody>"
            + body.joined(separator: "\n") + "</tbody></table></div>"
    }
}
