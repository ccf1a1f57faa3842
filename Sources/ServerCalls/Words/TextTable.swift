import Glibc

/// Rows of cells in aligned columns, two blanks apart; text from the network is made printable.
package struct TextTable: Sendable {
    private let rows: [[String]]

    /// - Parameter titles: the first row; nil for facts, whose names stand in the first column.
    package init(titles: [String]? = nil, rows: [[String]]) {
        self.rows = ((titles.map { [$0] } ?? []) + rows).map { $0.map(\.printable) }
    }

    /// - Parameter width: the most characters of a line; the widest columns are cut to it. Nil for any length.
    package func lines(width: Int? = nil) -> [String] {
        let widths = columnWidths(within: width)
        return rows.map { row in
            var line = ""
            for (index, cell) in row.enumerated() {
                let cut = Self.cut(cell, to: widths[index])
                line +=
                    index == row.count - 1 ? cut : cut + String(repeating: " ", count: widths[index] - cut.count + 2)
            }
            while line.last == " " { line.removeLast() }
            return line
        }
    }

    /// Below this width, a column is not cut any further.
    private static let narrowest = 8

    private func columnWidths(within limit: Int?) -> [Int] {
        var widths = (0..<(rows.map(\.count).max() ?? 0)).map { column in
            rows.compactMap { $0.indices.contains(column) ? $0[column].count : nil }.max() ?? 0
        }
        guard let limit else { return widths }
        var excess = widths.reduce(2 * (widths.count - 1), +) - limit
        while excess > 0, let widest = widths.indices.max(by: { widths[$0] < widths[$1] }),
            widths[widest] > Self.narrowest
        {
            widths[widest] -= 1
            excess -= 1
        }
        return widths
    }

    private static func cut(_ cell: String, to width: Int) -> String {
        cell.count <= width ? cell : cell.prefix(width - 1) + "…"
    }
}

/// The terminal that a program writes to.
package enum Terminal {
    /// How many characters a line of standard output has; nil where it is no terminal.
    package static var width: Int? {
        guard isatty(STDOUT_FILENO) == 1 else { return nil }
        var size = winsize()
        return ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 1 ? Int(size.ws_col) : 80
    }
}
