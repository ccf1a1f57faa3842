/// Reads JSON from bytes, one token at a time, without building a tree.
///
/// The headers of safetensors files come from outside, and Foundation's decoder drops repeated names without an error.
/// So this type reads the grammar (RFC 8259) itself, and the caller sees every name. Memory is bounded by the longest
/// string.
package struct JSONScanner {
    package static let depthLimit = 32

    private let bytes: UnsafeRawBufferPointer
    package private(set) var offset = 0
    /// One entry per open object or array: whether it has had a value yet.
    private var open: [Bool] = []

    package init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    /// The first byte of the next token.
    package mutating func peek(expecting expected: String) throws(JSONSyntaxError) -> UInt8 {
        skipSpace()
        guard offset < bytes.count else { throw .unexpectedEnd(expected: expected) }
        return bytes[offset]
    }

    package mutating func beginObject() throws(JSONSyntaxError) {
        try begin(UInt8(ascii: "{"), expected: "an object")
    }

    package mutating func beginArray() throws(JSONSyntaxError) {
        try begin(UInt8(ascii: "["), expected: "an array")
    }

    /// The next name in the innermost object, read up to its value; nil closes the object.
    package mutating func nextName() throws(JSONSyntaxError) -> String? {
        guard try advance(closing: UInt8(ascii: "}")) else { return nil }
        let name = try string()
        try take(UInt8(ascii: ":"), expected: "':'")
        return name
    }

    /// Whether the innermost array has another element; false closes the array.
    package mutating func nextElement() throws(JSONSyntaxError) -> Bool {
        try advance(closing: UInt8(ascii: "]"))
    }

    package mutating func string() throws(JSONSyntaxError) -> String {
        try take(UInt8(ascii: "\""), expected: "a string")
        let start = offset
        var escaped = false
        while true {
            guard offset < bytes.count else { throw .unexpectedEnd(expected: "the end of a string") }
            switch bytes[offset] {
            case UInt8(ascii: "\""):
                let raw = bytes[start..<offset]
                offset += 1
                let text = escaped ? try Self.unescape(raw) : Array(raw)
                guard let string = String(validating: text, as: UTF8.self) else { throw .notUTF8(offset: start) }
                return string
            case UInt8(ascii: "\\"):
                escaped = true
                offset += 2
            case 0..<0x20:
                throw .unexpected(bytes[offset], offset: offset, expected: "a character of a string")
            default:
                offset += 1
            }
        }
    }

    /// A whole number, zero or more.
    package mutating func count() throws(JSONSyntaxError) -> Int {
        let first = try peek(expecting: "a whole number")
        let start = offset
        guard Self.isDigit(first) else { throw .unexpected(first, offset: offset, expected: "a whole number") }
        var value = 0
        while offset < bytes.count, Self.isDigit(bytes[offset]) {
            let (tens, tooLarge) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = tens.addingReportingOverflow(Int(bytes[offset] - UInt8(ascii: "0")))
            guard !tooLarge, !carry else { throw .numberOutOfRange(offset: start) }
            value = sum
            offset += 1
        }
        if first == UInt8(ascii: "0"), offset > start + 1 {
            throw .unexpected(bytes[start + 1], offset: start + 1, expected: "a number without leading zeros")
        }
        if offset < bytes.count, [UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E")].contains(bytes[offset]) {
            throw .unexpected(bytes[offset], offset: offset, expected: "a whole number")
        }
        return value
    }

    package mutating func number() throws(JSONSyntaxError) -> Double {
        let first = try peek(expecting: "a number")
        let start = offset
        if first == UInt8(ascii: "-") { offset += 1 }
        let whole = try digits()
        if whole.count > 1, bytes[whole.lowerBound] == UInt8(ascii: "0") {
            throw .unexpected(
                bytes[whole.lowerBound + 1], offset: whole.lowerBound + 1, expected: "a number without leading zeros")
        }
        if offset < bytes.count, bytes[offset] == UInt8(ascii: ".") {
            offset += 1
            _ = try digits()
        }
        if offset < bytes.count, bytes[offset] | 0x20 == UInt8(ascii: "e") {
            offset += 1
            if offset < bytes.count, bytes[offset] == UInt8(ascii: "+") || bytes[offset] == UInt8(ascii: "-") {
                offset += 1
            }
            _ = try digits()
        }
        let text = String(decoding: bytes[start..<offset], as: UTF8.self)
        guard let value = Double(text), value.isFinite else { throw .numberOutOfRange(offset: start) }
        return value
    }

    package mutating func bool() throws(JSONSyntaxError) -> Bool {
        let isTrue = try peek(expecting: "true or false") == UInt8(ascii: "t")
        try word(isTrue ? "true" : "false")
        return isTrue
    }

    /// Reads a `null` if it is the next value.
    package mutating func skipNull() throws(JSONSyntaxError) -> Bool {
        guard try peek(expecting: "a value") == UInt8(ascii: "n") else { return false }
        try word("null")
        return true
    }

    /// Skips one value of any kind.
    package mutating func skipValue() throws(JSONSyntaxError) {
        switch try peek(expecting: "a value") {
        case UInt8(ascii: "{"):
            try beginObject()
            while try nextName() != nil { try skipValue() }
        case UInt8(ascii: "["):
            try beginArray()
            while try nextElement() { try skipValue() }
        case UInt8(ascii: "\""): _ = try string()
        case UInt8(ascii: "t"), UInt8(ascii: "f"): _ = try bool()
        case UInt8(ascii: "n"): _ = try skipNull()
        default: _ = try number()
        }
    }

    /// Checks that only white space follows.
    package mutating func finish() throws(JSONSyntaxError) {
        skipSpace()
        guard offset == bytes.count else {
            throw .unexpected(bytes[offset], offset: offset, expected: "the end of the text")
        }
    }
}

extension JSONScanner {
    private mutating func skipSpace() {
        while offset < bytes.count {
            switch bytes[offset] {
            case 0x20, 0x0A, 0x0D, 0x09: offset += 1
            default: return
            }
        }
    }

    private mutating func take(_ byte: UInt8, expected: String) throws(JSONSyntaxError) {
        let found = try peek(expecting: expected)
        guard found == byte else { throw .unexpected(found, offset: offset, expected: expected) }
        offset += 1
    }

    private mutating func begin(_ byte: UInt8, expected: String) throws(JSONSyntaxError) {
        try take(byte, expected: expected)
        guard open.count < Self.depthLimit else { throw .tooDeep(limit: Self.depthLimit) }
        open.append(false)
    }

    private mutating func advance(closing byte: UInt8) throws(JSONSyntaxError) -> Bool {
        let found = try peek(expecting: "a value or the end of its list")
        if found == byte {
            offset += 1
            open.removeLast()
            return false
        }
        if open.last == true {
            try take(UInt8(ascii: ","), expected: "',' or the end of a list")
        }
        open[open.count - 1] = true
        return true
    }

    private mutating func word(_ word: String) throws(JSONSyntaxError) {
        for byte in word.utf8 {
            guard offset < bytes.count else { throw .unexpectedEnd(expected: word) }
            guard bytes[offset] == byte else { throw .unexpected(bytes[offset], offset: offset, expected: word) }
            offset += 1
        }
    }

    private mutating func digits() throws(JSONSyntaxError) -> Range<Int> {
        let start = offset
        while offset < bytes.count, Self.isDigit(bytes[offset]) { offset += 1 }
        guard offset > start else {
            guard offset < bytes.count else { throw .unexpectedEnd(expected: "a digit") }
            throw .unexpected(bytes[offset], offset: offset, expected: "a digit")
        }
        return start..<offset
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }

    private static func unescape(_ raw: Slice<UnsafeRawBufferPointer>) throws(JSONSyntaxError) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(raw.count)
        var position = raw.startIndex
        while position < raw.endIndex {
            let byte = raw[position]
            position += 1
            guard byte == UInt8(ascii: "\\") else {
                text.append(byte)
                continue
            }
            let escape = position - 1
            guard position < raw.endIndex else { throw .badEscape(offset: escape) }
            let kind = raw[position]
            position += 1
            switch kind {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(kind)
            case UInt8(ascii: "b"): text.append(0x08)
            case UInt8(ascii: "f"): text.append(0x0C)
            case UInt8(ascii: "n"): text.append(0x0A)
            case UInt8(ascii: "r"): text.append(0x0D)
            case UInt8(ascii: "t"): text.append(0x09)
            case UInt8(ascii: "u"):
                var code = try hexadecimal(raw, &position, escape: escape)
                if 0xD800..<0xDC00 ~= code {
                    guard position + 1 < raw.endIndex, raw[position] == UInt8(ascii: "\\"),
                        raw[position + 1] == UInt8(ascii: "u")
                    else { throw .badEscape(offset: escape) }
                    position += 2
                    let low = try hexadecimal(raw, &position, escape: escape)
                    guard 0xDC00..<0xE000 ~= low else { throw .badEscape(offset: escape) }
                    code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
                }
                guard let scalar = Unicode.Scalar(code) else { throw .badEscape(offset: escape) }
                text.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
            default: throw .badEscape(offset: escape)
            }
        }
        return text
    }

    private static func hexadecimal(
        _ raw: Slice<UnsafeRawBufferPointer>, _ position: inout Int, escape: Int
    ) throws(JSONSyntaxError) -> UInt32 {
        guard raw.endIndex - position >= 4 else { throw .badEscape(offset: escape) }
        var code: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = Character(Unicode.Scalar(raw[position])).hexDigitValue, raw[position] < 0x80 else {
                throw .badEscape(offset: escape)
            }
            code = code << 4 | UInt32(digit)
            position += 1
        }
        return code
    }
}
