import Foundation
import Testing

/// A table in docs that is written by a test and compared by it ever after.
struct GeneratedTable {
    /// From the repository's root.
    let file: String
    /// The lines before and behind the table.
    let marks: (String, String)

    func compare(_ table: String) throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let url = root.appendingPathComponent(file)
        let text = try String(contentsOf: url, encoding: .utf8)
        let start = try #require(text.firstRange(of: marks.0)).upperBound
        let end = try #require(text.firstRange(of: marks.1)).lowerBound
        guard ProcessInfo.processInfo.environment["RANKWISE_WRITE_DOCS"] != "1" else {
            return try text.replacingCharacters(in: start..<end, with: table).write(
                to: url, atomically: true, encoding: .utf8)
        }
        let advice = "run RANKWISE_WRITE_DOCS=1 scripts/test --filter CoordinatorAPITests and commit \(file)"
        let committed = text[start..<end].split(separator: "\n")
        let rows = table.split(separator: "\n")
        for (found, row) in zip(rows, committed) { #expect(found == row, "\(file) is out of date; \(advice)") }
        #expect(rows.count == committed.count, "\(advice)")
    }
}
