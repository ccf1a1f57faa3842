/// What the body of an error says: `<Error><Code>…</Code><Message>…</Message></Error>`. Both are empty for anything
/// else, such as a proxy's page or the answer to a HEAD.
package struct ErrorAnswer: Sendable, Hashable {
    private static let longestMessage = 300

    package private(set) var code = ""
    package private(set) var message = ""

    package init(_ body: [UInt8]) {
        guard let root = try? XMLElement(parsing: body), root.name == "Error" else { return }
        let code = root["Code"] ?? ""
        guard code.utf8.count <= 100, code.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return }
        self.code = code
        let line = (root["Message"] ?? "").unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? " " : $0 }
        message = String(String.UnicodeScalarView(line.prefix(Self.longestMessage)))
    }

    /// The code behind a blank, for a status.
    var suffix: String { code.isEmpty ? "" : " \(code)" }
}
