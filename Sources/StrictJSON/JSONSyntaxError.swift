/// Why bytes are not the JSON that a reader expects; offsets are from the start of the text.
package enum JSONSyntaxError: Error, Equatable, Sendable {
    case unexpectedEnd(expected: String)
    case unexpected(UInt8, offset: Int, expected: String)
    case badEscape(offset: Int)
    case notUTF8(offset: Int)
    case numberOutOfRange(offset: Int)
    case tooDeep(limit: Int)
    case duplicate(String)
}

extension JSONSyntaxError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unexpectedEnd(let expected): "the text ends where \(expected) is expected"
        case .unexpected(let byte, let offset, let expected):
            "byte \(offset) is 0x\(String(byte, radix: 16)) where \(expected) is expected"
        case .badEscape(let offset): "the escape at byte \(offset) is not one of JSON's"
        case .notUTF8(let offset): "the string at byte \(offset) is not UTF-8"
        case .numberOutOfRange(let offset): "the number at byte \(offset) is out of range"
        case .tooDeep(let limit): "values are nested deeper than \(limit)"
        case .duplicate(let name): "\(name.jsonQuoted) appears twice in one object"
        }
    }
}
