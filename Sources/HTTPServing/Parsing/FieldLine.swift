import HTTPTypes

/// Parses one header or trailer line, without its line end, as a field.
enum FieldLine {
    static func parse(_ line: Span<UInt8>) throws(HTTPParseError) -> HTTPField {
        guard line.count > 0 else { throw .fieldName }
        guard !ByteGrammar.isBlank(line[0]) else { throw .foldedHeader }
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > 0 else { throw .fieldName }
        for index in 0..<colon where !ByteGrammar.isToken(line[index]) { throw .fieldName }
        var start = colon + 1
        var end = line.count
        while start < end, ByteGrammar.isBlank(line[start]) { start += 1 }
        while end > start, ByteGrammar.isBlank(line[end - 1]) { end -= 1 }
        for index in start..<end where !ByteGrammar.isFieldValue(line[index]) {
            throw line[index] == ByteGrammar.carriageReturn ? .bareCarriageReturn : .fieldValue
        }
        guard let name = HTTPField.Name(line.extracting(..<colon).text) else { throw .fieldName }
        return line.extracting(start..<end).withUnsafeBufferPointer { HTTPField(name: name, value: $0) }
    }
}
