/// The part of a representation of known length that `Range` asks for.
package enum ByteRange: Sendable, Hashable {
    /// There is no range, or none that this server supports: RFC 9110 says to ignore it.
    case whole
    case part(Range<Int>)
    case unsatisfiable

    /// Reads one byte range: `bytes=5-9`, `bytes=5-`, `bytes=-5`. Several ranges at once are answered with the whole.
    package init(parsing value: String, length: Int) {
        let bytes = Array(value.utf8)
        let unit = Array("bytes=".utf8)
        guard bytes.count > unit.count, zip(bytes, unit).allSatisfy({ $0.0 | 0x20 == $0.1 | 0x20 }) else {
            self = .whole
            return
        }
        let spec = bytes[unit.count...]
        guard let dash = spec.firstIndex(of: UInt8(ascii: "-")) else {
            self = .whole
            return
        }
        switch (Self.position(spec[..<dash]), Self.position(spec[(dash + 1)...])) {
        case (.number(let first), .number(let last)) where first <= last:
            self = Self.clamped(first, last, length)
        case (.number(let first), .absent):
            self = Self.clamped(first, .max, length)
        case (.absent, .number(let suffix)):
            self = suffix == 0 ? .unsatisfiable : length == 0 ? .whole : .part(max(0, length - suffix)..<length)
        default:
            self = .whole
        }
    }

    private enum Position {
        case absent
        case number(Int)
        case malformed
    }

    private static func position(_ digits: ArraySlice<UInt8>) -> Position {
        if digits.isEmpty { return .absent }
        guard digits.allSatisfy(ByteGrammar.isDigit) else { return .malformed }
        // A number beyond Int is also beyond every representation.
        return .number(ByteGrammar.decimal(digits) ?? .max)
    }

    private static func clamped(_ first: Int, _ last: Int, _ length: Int) -> ByteRange {
        first < length ? .part(first..<min(last, length - 1) + 1) : .unsatisfiable
    }
}
