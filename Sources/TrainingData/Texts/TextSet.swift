import FoundationEssentials

/// Labelled texts in memory.
package struct TextSet: Sendable, Equatable {
    package let texts: [String]
    /// The class of each text, from 0.
    package let labels: [Int]

    package var count: Int { labels.count }

    /// - Precondition: there are as many labels as texts, and at least one.
    package init(texts: [String], labels: [Int]) {
        precondition(texts.count == labels.count && !labels.isEmpty, "\(texts.count) texts, \(labels.count) labels")
        self.texts = texts
        self.labels = labels
    }
}

extension TextSet {
    /// Reads one example per line: the class, a tab and the text; or an object with `label` and `text`.
    ///
    /// The content decides, not the name: if the first character is a brace, every line is an object. Empty lines are
    /// ignored.
    package init(path: String) throws(TextError) {
        let bytes: [UInt8]
        do throws(DataSetError) { bytes = try FileContents.read(path) } catch { throw .data(error) }
        try self.init(bytes, file: path)
    }

    init(_ bytes: [UInt8], file: String) throws(TextError) {
        guard !bytes.starts(with: [0x1F, 0x8B]) else { throw .data(.compressed(file: file)) }
        let content = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes[3...] : bytes[...]
        let isJSON = content.first(where: { !Self.isBlank($0) && $0 != UInt8(ascii: "\n") }) == UInt8(ascii: "{")
        var (texts, labels): ([String], [Int]) = ([], [])
        let lines = content.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (number, line) in lines.enumerated() where !line.allSatisfy(Self.isBlank) {
            let example =
                try isJSON
                ? Self.object(line, file: file, line: number + 1) : Self.row(line, file: file, line: number + 1)
            texts.append(example.text)
            labels.append(example.label)
        }
        guard !labels.isEmpty else { throw .empty(file: file) }
        self.init(texts: texts, labels: labels)
    }

    private static func row(
        _ line: ArraySlice<UInt8>, file: String, line number: Int
    ) throws(TextError) -> (label: Int, text: String) {
        guard let tab = line.firstIndex(of: UInt8(ascii: "\t")) else { throw .noText(file: file, line: number) }
        let digits = line[..<tab]
        guard (1...6).contains(digits.count), digits.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }),
            let label = Int(String(decoding: digits, as: UTF8.self)), label <= DataSet.labelLimit
        else { throw .label(file: file, line: number, found: shown(digits), limit: DataSet.labelLimit) }
        guard let text = String(validating: line[(tab + 1)...], as: UTF8.self) else {
            throw .notUTF8(file: file, line: number)
        }
        return (label, text)
    }

    private static func object(
        _ line: ArraySlice<UInt8>, file: String, line number: Int
    ) throws(TextError) -> (label: Int, text: String) {
        struct Example: Decodable {
            let label: Int
            let text: String
        }
        guard String(validating: line, as: UTF8.self) != nil else { throw .notUTF8(file: file, line: number) }
        guard let example = try? JSONDecoder().decode(Example.self, from: Data(line)) else {
            throw .json(file: file, line: number)
        }
        guard (0...DataSet.labelLimit).contains(example.label) else {
            throw .label(file: file, line: number, found: "\(example.label)", limit: DataSet.labelLimit)
        }
        return (example.label, example.text)
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0D }

    /// The field for an error message, shortened and without control characters that a terminal would obey.
    private static func shown(_ field: ArraySlice<UInt8>) -> String {
        guard !field.isEmpty else { return "nothing" }
        let text = String(decoding: field.prefix(24), as: UTF8.self).unicodeScalars
            .map { $0.properties.generalCategory == .control ? "?" : String($0) }.joined()
        return "\"\(text)\(field.count > 24 ? "…" : "")\""
    }
}
