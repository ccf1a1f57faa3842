/// What the patterns of pre-tokenizers ask of a character, from one byte of a table.
struct ScalarClass: OptionSet, Sendable {
    let rawValue: UInt8

    /// `\p{L}`.
    static let letter = ScalarClass(rawValue: 1)
    /// `\p{N}`.
    static let number = ScalarClass(rawValue: 2)
    /// `\s`.
    static let space = ScalarClass(rawValue: 4)
    /// `[\r\n]`, which is also space.
    static let newline = ScalarClass(rawValue: 8)

    init(rawValue: UInt8) { self.rawValue = rawValue }

    init(_ scalar: Unicode.Scalar) {
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: self = .letter
        case .decimalNumber, .letterNumber, .otherNumber: self = .number
        default:
            self = scalar == "\r" || scalar == "\n" ? [.space, .newline] : scalar.properties.isWhitespace ? .space : []
        }
    }

    /// The classes of the first 65,536 characters.
    private static let table: [ScalarClass] = (0..<0x10000).map { value in
        Unicode.Scalar(UInt32(value)).map { ScalarClass($0) } ?? []
    }

    /// Lends the table; asking for it each time would cost more than the look-up.
    static func withTable<Result>(_ body: (UnsafeBufferPointer<ScalarClass>) -> Result) -> Result {
        table.withUnsafeBufferPointer(body)
    }
}

/// Reads the characters of sound UTF-8 with their classes.
struct ScalarReader {
    let bytes: UnsafeBufferPointer<UInt8>
    private let table: UnsafeBufferPointer<ScalarClass>

    init(_ bytes: UnsafeBufferPointer<UInt8>, table: UnsafeBufferPointer<ScalarClass>) {
        self.bytes = bytes
        self.table = table
    }

    var count: Int { bytes.count }

    /// The class and the length of the character at `offset`.
    ///
    /// - Precondition: a character begins there.
    @inline(__always)
    func character(at offset: Int) -> (class: ScalarClass, length: Int) {
        let first = bytes[offset]
        if first < 0x80 { return (table[Int(first)], 1) }
        let value = UInt32(first)
        if first < 0xE0 { return (table[Int(value & 0x1F) << 6 | tail(offset + 1)], 2) }
        if first < 0xF0 { return (table[Int(value & 0x0F) << 12 | tail(offset + 1) << 6 | tail(offset + 2)], 3) }
        let scalar = Unicode.Scalar(
            (value & 0x07) << 18 | UInt32(tail(offset + 1) << 12 | tail(offset + 2) << 6 | tail(offset + 3)))
        return (scalar.map { ScalarClass($0) } ?? [], 4)
    }

    @inline(__always)
    private func tail(_ offset: Int) -> Int { Int(bytes[offset] & 0x3F) }

    /// The end of the run of characters from `offset` for which `holds` does.
    @inline(__always)
    func end(from offset: Int, while holds: (ScalarClass) -> Bool) -> Int {
        var place = offset
        while place < count {
            let next = character(at: place)
            guard holds(next.class) else { break }
            place += next.length
        }
        return place
    }
}
