import RankwiseWire
import ServerCalls

/// Values as cells of tables; a dash where there is none.
enum Cells {
    static let none = "–"

    static func number(_ value: Double?) -> String { value.map { $0.rounded(to: 4) } ?? none }
    static func text(_ value: String?) -> String { value ?? none }
    static func text(_ value: Int?) -> String { value.map(String.init) ?? none }

    /// A list, cut to the terminal's width; whole where the output is no terminal.
    static func list(_ titles: [String], _ rows: [[String]]) -> [String] {
        TextTable(titles: titles, rows: rows).lines(width: Terminal.width)
    }

    /// Facts with their names before them; never cut.
    static func facts(_ rows: [[String]]) -> [String] { TextTable(rows: rows).lines() }
}

extension RoundBody {
    /// Received of wanted: K of an asynchronous federation, else the selected.
    var progress: String { "\(received) of \(buffer ?? selected)" }
}
