import ServerCalls
import Testing

struct TextTableTests {
    private let table = TextTable(
        titles: ["NAME", "REASON"], rows: [["edge-1", "a reason that is long"], ["e", "bad\u{1B}[2J\nline"]])

    @Test func `columns are aligned, and control characters are blanks`() {
        #expect(table.lines() == ["NAME    REASON", "edge-1  a reason that is long", "e       bad [2J line"])
    }

    @Test func `a narrow terminal cuts the widest column`() {
        #expect(table.lines(width: 20) == ["NAME    REASON", "edge-1  a reason th…", "e       bad [2J line"])
        #expect(table.lines(width: 29) == table.lines())
    }

    @Test func `no line ends in blanks`() {
        #expect(TextTable(rows: [["a", ""], ["bcd", "e"]]).lines() == ["a", "bcd  e"])
    }

    @Test func `no column is cut to nothing`() {
        #expect(table.lines(width: 1) == ["NAME    REASON", "edge-1  a reaso…", "e       bad [2J…"])
    }
}
