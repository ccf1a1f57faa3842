import AdapterFormat
import Foundation
import Testing

/// docs/peft.md says of every key of PEFT's what the code does with it.
@Suite struct ConfigKeyTableTests {
    private static let marks = ("<!-- keys -->\n", "<!-- /keys -->")

    private static var table: String {
        let rows = ConfigKey.all.map { "| `\($0.name)` | \(word($0.treatment)) | \($0.note) |" }
        return "| key | what becomes of it | |\n|---|---|---|\n" + rows.joined(separator: "\n") + "\n"
    }

    private static func word(_ treatment: ConfigKey.Treatment) -> String {
        switch treatment {
        case .compared: "compared"
        case .carried(let standard): "carried; all clients have the same, and \(standard) where they say nothing"
        case .stated: "carried; clients that state it state the same"
        case .described: "carried from the first that states it, as far as it fits the tensors"
        case .ignored: "ignored"
        case .refused(let harmless): "refused, unless \(harmless.sorted().joined(separator: ", "))"
        }
    }

    @Test func `the table of keys is that of the code`() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let file = root.appendingPathComponent("docs/peft.md")
        let text = try String(contentsOf: file, encoding: .utf8)
        let start = try #require(text.range(of: Self.marks.0)).upperBound
        let end = try #require(text.range(of: Self.marks.1)).lowerBound
        if ProcessInfo.processInfo.environment["RANKWISE_WRITE_DOCS"] == "1" {
            try text.replacingCharacters(in: start..<end, with: Self.table).write(
                to: file, atomically: true, encoding: .utf8)
        } else {
            #expect(text[start..<end] == Self.table, "run RANKWISE_WRITE_DOCS=1 swift test --filter ConfigKeyTable")
        }
    }

    @Test func `no key stands twice`() {
        #expect(Set(ConfigKey.all.map(\.name)).count == ConfigKey.all.count)
    }
}
