import AdapterFormat

/// Reads the parts of a GGUF header in order; no read goes beyond the end of the file.
struct GGUFReader {
    private let storage: TensorStorage
    private let bytes: UnsafeRawBufferPointer
    private(set) var offset = 0

    /// The most bytes of a key; the format's limit.
    static let keyLimit = 65_535
    /// The most bytes of a tensor's name; the format's limit.
    static let nameLimit = 64

    /// - Parameter bytes: those of `storage`, lent while this value is used.
    init(_ storage: TensorStorage, _ bytes: UnsafeRawBufferPointer) {
        self.storage = storage
        self.bytes = bytes
    }

    private func need(_ count: Int, _ expected: String) throws(GGUFError) {
        guard count <= bytes.count - offset else { throw .cut(offset: bytes.count, expected: expected) }
    }

    private mutating func number<Number: FixedWidthInteger & BitwiseCopyable>(
        _: Number.Type, _ expected: String
    ) throws(GGUFError) -> Number {
        try need(MemoryLayout<Number>.size, expected)
        defer { offset += MemoryLayout<Number>.size }
        return Number(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Number.self))
    }

    mutating func uint32(_ expected: String) throws(GGUFError) -> UInt32 { try number(UInt32.self, expected) }
    mutating func uint64(_ expected: String) throws(GGUFError) -> UInt64 { try number(UInt64.self, expected) }

    mutating func start() throws(GGUFError) -> UInt32 {
        let magic = Array(bytes.prefix(4))
        guard magic == Array("GGUF".utf8) else { throw .magic(found: magic) }
        offset = 4
        let version = try uint32("the version")
        guard version != 0, version & 0xFFFF != 0 else { throw version == 0 ? .version(found: 0) : .bigEndian }
        guard version == 2 || version == 3 else { throw .version(found: version) }
        return version
    }

    mutating func count(of what: String, limit: Int) throws(GGUFError) -> Int {
        let found = try uint64("the number of \(what)")
        guard found <= UInt64(limit) else { throw .tooMany(what, found: found, limit: limit) }
        return Int(found)
    }

    /// The bytes of a string.
    private mutating func text(_ expected: String) throws(GGUFError) -> Range<Int> {
        let length = try uint64("the length of \(expected)")
        guard length <= UInt64(bytes.count - offset) else { throw .cut(offset: bytes.count, expected: expected) }
        let range = offset..<offset + Int(length)
        offset = range.upperBound
        return range
    }

    private func string(_ range: Range<Int>) throws(GGUFError) -> String {
        guard let string = String(validating: bytes[range], as: UTF8.self) else {
            throw .notUTF8(offset: range.lowerBound)
        }
        return string
    }

    mutating func name(_ expected: String, limit: Int) throws(GGUFError) -> String {
        let range = try text(expected)
        guard !range.isEmpty else { throw .emptyName(offset: range.lowerBound) }
        guard range.count <= limit else {
            throw .nameTooLong(offset: range.lowerBound, bytes: range.count, limit: limit)
        }
        return try string(range)
    }

    mutating func value(of key: String) throws(GGUFError) -> GGUFValue {
        let element = try element(of: key)
        switch element {
        case .text: return .text(try string(try text("the value of \(key)")))
        case .array: return .array(try array(of: key))
        default: return try scalar(element, key)
        }
    }

    private mutating func element(of key: String) throws(GGUFError) -> GGUFElement {
        let type = try uint32("the type of \(key)")
        guard let element = GGUFElement(rawValue: type) else { throw .valueType(key: key, found: type) }
        return element
    }

    private mutating func scalar(_ element: GGUFElement, _ key: String) throws(GGUFError) -> GGUFValue {
        let size = element.byteCount ?? 0
        try need(size, "the value of \(key)")
        defer { offset += size }
        if element == .truth { try checkTruth(at: offset) }
        return GGUFValue(element, bytes, offset)
    }

    private func checkTruth(at place: Int) throws(GGUFError) {
        guard bytes[place] <= 1 else { throw .truth(offset: place, found: bytes[place]) }
    }

    /// Checks the elements without keeping them.
    private mutating func array(of key: String) throws(GGUFError) -> GGUFArray {
        let element = try element(of: key)
        guard element != .array else { throw .nestedArray(key: key) }
        let count = try uint64("the length of \(key)")
        // A string takes at least its length.
        let least = element.byteCount ?? 8
        guard count <= UInt64((bytes.count - offset) / least) else {
            throw .cut(offset: bytes.count, expected: "the end of \(key), an array of \(count)")
        }
        let first = offset
        if element == .text {
            for _ in 0..<Int(count) { _ = try text("an element of \(key)") }
        } else {
            offset += Int(count) * least
            if element == .truth { for place in first..<offset { try checkTruth(at: place) } }
        }
        return GGUFArray(element: element, count: Int(count), storage: storage, range: first..<offset)
    }
}
