/// An element of the XML that object stores answer with, read by a parser for just that: elements, text and the
/// references of characters. What S3 does not send is refused: document types, sections of CDATA, other entities.
struct XMLElement: Sendable, Hashable {
    static let depthLimit = 16

    let name: String
    fileprivate(set) var text = ""
    fileprivate(set) var children: [XMLElement] = []

    fileprivate init(name: String) { self.name = name }

    init(parsing bytes: [UInt8]) throws(XMLError) {
        var parser = XMLParser(bytes)
        self = try parser.document()
    }

    /// The text of the first child with this name.
    subscript(name: String) -> String? { children.first { $0.name == name }?.text }
}

/// Why bytes are not the XML that a store sends.
enum XMLError: Error, Sendable, Hashable {
    case notUTF8
    /// At a byte's offset.
    case malformed(offset: Int)
    case unsupported(String)
    case tooDeep
}

private struct XMLParser {
    private let bytes: [UInt8]
    private var offset = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func document() throws(XMLError) -> XMLElement {
        guard String(validating: bytes, as: UTF8.self) != nil else { throw .notUTF8 }
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { offset = 3 }
        try skipMisc()
        let root = try element(depth: 1)
        try skipMisc()
        guard offset == bytes.count else { throw .malformed(offset: offset) }
        return root
    }

    /// Blanks, comments and the XML declaration.
    private mutating func skipMisc() throws(XMLError) {
        while true {
            skipBlanks()
            if take("<?") {
                try skip(past: "?>")
            } else if take("<!--") {
                try skip(past: "-->")
            } else if has("<!") {
                throw .unsupported("a document type")
            } else {
                return
            }
        }
    }

    private mutating func element(depth: Int) throws(XMLError) -> XMLElement {
        guard depth <= XMLElement.depthLimit else { throw .tooDeep }
        guard take("<") else { throw .malformed(offset: offset) }
        var element = XMLElement(name: try name())
        try skipAttributes()
        if take("/>") { return element }
        guard take(">") else { throw .malformed(offset: offset) }
        var text: [UInt8] = []
        while true {
            guard offset < bytes.count else { throw .malformed(offset: offset) }
            if take("</") {
                guard try name() == element.name else { throw .malformed(offset: offset) }
                skipBlanks()
                guard take(">") else { throw .malformed(offset: offset) }
                // Blanks between children are no text.
                element.text = element.children.isEmpty ? String(decoding: text, as: UTF8.self) : ""
                return element
            } else if take("<!--") {
                try skip(past: "-->")
            } else if has("<!") || has("<?") {
                throw .unsupported("a section or an instruction")
            } else if has("<") {
                element.children.append(try self.element(depth: depth + 1))
            } else if take("&") {
                text += try reference()
            } else {
                text.append(bytes[offset])
                offset += 1
            }
        }
    }

    private mutating func name() throws(XMLError) -> String {
        let start = offset
        while offset < bytes.count, Self.isName(bytes[offset]) { offset += 1 }
        guard offset > start else { throw .malformed(offset: offset) }
        return String(decoding: bytes[start..<offset], as: UTF8.self)
    }

    private mutating func skipAttributes() throws(XMLError) {
        while true {
            skipBlanks()
            guard offset < bytes.count, Self.isName(bytes[offset]) else { return }
            _ = try name()
            skipBlanks()
            guard take("=") else { throw .malformed(offset: offset) }
            skipBlanks()
            guard offset < bytes.count, bytes[offset] == UInt8(ascii: "\"") || bytes[offset] == UInt8(ascii: "'")
            else { throw .malformed(offset: offset) }
            let quote = bytes[offset]
            offset += 1
            while offset < bytes.count, bytes[offset] != quote, bytes[offset] != UInt8(ascii: "<") { offset += 1 }
            guard offset < bytes.count, bytes[offset] == quote else { throw .malformed(offset: offset) }
            offset += 1
        }
    }

    /// The character behind `&`.
    private mutating func reference() throws(XMLError) -> [UInt8] {
        let start = offset
        while offset < bytes.count, offset - start < 10, bytes[offset] != UInt8(ascii: ";") { offset += 1 }
        let word = String(decoding: bytes[start..<offset], as: UTF8.self)
        guard take(";") else { throw .malformed(offset: start) }
        switch word {
        case "amp": return [UInt8(ascii: "&")]
        case "lt": return [UInt8(ascii: "<")]
        case "gt": return [UInt8(ascii: ">")]
        case "quot": return [UInt8(ascii: "\"")]
        case "apos": return [UInt8(ascii: "'")]
        default: break
        }
        guard word.hasPrefix("#") else { throw .unsupported("an entity of its own") }
        let isHex = word.hasPrefix("#x")
        let digits = word.dropFirst(isHex ? 2 : 1)
        guard !digits.isEmpty, !digits.hasPrefix("+"), !digits.hasPrefix("-"),
            let value = UInt32(digits, radix: isHex ? 16 : 10), value != 0, let scalar = Unicode.Scalar(value)
        else { throw .malformed(offset: start) }
        return Array(String(Character(scalar)).utf8)
    }

    private mutating func skipBlanks() {
        while offset < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[offset]) { offset += 1 }
    }

    private func has(_ text: StaticString) -> Bool {
        guard bytes.count - offset >= text.utf8CodeUnitCount else { return false }
        return text.withUTF8Buffer { $0.elementsEqual(bytes[offset..<offset + text.utf8CodeUnitCount]) }
    }

    private mutating func take(_ text: StaticString) -> Bool {
        guard has(text) else { return false }
        offset += text.utf8CodeUnitCount
        return true
    }

    private mutating func skip(past text: StaticString) throws(XMLError) {
        while offset < bytes.count {
            if take(text) { return }
            offset += 1
        }
        throw .malformed(offset: offset)
    }

    private static func isName(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: ":"), 0x80...:
            true
        default:
            false
        }
    }
}
