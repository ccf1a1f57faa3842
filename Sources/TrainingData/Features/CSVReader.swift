/// Reads examples from comma-separated numbers: the features, then the class.
///
/// The first line is a header if none of its fields is a number. Blank lines, spaces around numbers, carriage returns
/// and a byte-order mark are ignored. Quotes are refused.
enum CSVReader {
    static func read(_ bytes: [UInt8], file: String) throws(DataSetError) -> DataSet {
        guard !bytes.starts(with: [0x1F, 0x8B]) else { throw .compressed(file: file) }
        var features: [Float] = []
        var labels: [Int] = []
        var columns: Int?
        var isFirst = true
        var line = 0
        var rest = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes[3...] : bytes[...]
        while !rest.isEmpty {
            line += 1
            let end = rest.firstIndex(of: UInt8(ascii: "\n")) ?? rest.endIndex
            let text = trimmed(rest[..<end])
            rest = rest[min(end + 1, rest.endIndex)...]
            if text.isEmpty { continue }
            if isFirst {
                isFirst = false
                if isHeader(text) {
                    columns = text.count(where: { $0 == UInt8(ascii: ",") }) + 1
                    continue
                }
            }
            let found = try append(text, to: &features, &labels, file: file, line: line)
            guard found > 1 else { throw .tooFewColumns(file: file, line: line, found: found) }
            if let columns, columns != found {
                throw .columns(file: file, line: line, expected: columns, found: found)
            }
            columns = found
        }
        guard let columns, !labels.isEmpty else { throw .empty(file: file) }
        return DataSet(width: columns - 1, features: features, labels: labels)
    }

    /// Reads one line and returns the number of its fields.
    private static func append(
        _ text: ArraySlice<UInt8>, to features: inout [Float], _ labels: inout [Int], file: String, line: Int
    ) throws(DataSetError) -> Int {
        var column = 0
        var rest = text
        while true {
            column += 1
            let comma = rest.firstIndex(of: UInt8(ascii: ","))
            let field = trimmed(rest[..<(comma ?? rest.endIndex)])
            guard let number = number(field) else {
                throw .number(file: file, line: line, column: column, found: shown(field))
            }
            guard let comma else {
                guard let label = Int(exactly: number), (0...DataSet.labelLimit).contains(label) else {
                    throw .label(
                        file: file, line: line, column: column, found: shown(field), limit: DataSet.labelLimit)
                }
                labels.append(label)
                return column
            }
            features.append(number)
            rest = rest[(comma + 1)...]
        }
    }

    private static func isHeader(_ text: ArraySlice<UInt8>) -> Bool {
        text.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
            .allSatisfy { Float(String(decoding: trimmed($0), as: UTF8.self)) == nil }
    }

    /// A finite number. Short whole numbers, which most files contain, are read without creating a string.
    private static func number(_ field: ArraySlice<UInt8>) -> Float? {
        if (1...6).contains(field.count) {
            var value: Int32 = 0
            var isWhole = true
            for byte in field {
                guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else {
                    isWhole = false
                    break
                }
                value = value * 10 + Int32(byte - UInt8(ascii: "0"))
            }
            if isWhole { return Float(value) }
        }
        guard let value = Float(String(decoding: field, as: UTF8.self)), value.isFinite else { return nil }
        return value
    }

    private static func trimmed(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0D }
        var text = text
        while let first = text.first, isSpace(first) { text.removeFirst() }
        while let last = text.last, isSpace(last) { text.removeLast() }
        return text
    }

    /// The field for an error message, shortened and without control characters that a terminal would obey.
    private static func shown(_ field: ArraySlice<UInt8>) -> String {
        guard !field.isEmpty else { return "nothing" }
        let text = String(decoding: field.prefix(24), as: UTF8.self).unicodeScalars
            .map { $0.value < 0x20 || $0.value == 0x7F ? "?" : String($0) }.joined()
        return "\"\(text)\(field.count > 24 ? "…" : "")\""
    }
}
