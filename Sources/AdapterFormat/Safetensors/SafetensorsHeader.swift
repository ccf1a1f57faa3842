import StrictJSON

/// The header of a safetensors file; everything that it says about the data is checked.
struct SafetensorsHeader {
    struct Entry {
        let name: String
        let type: ElementType
        let shape: [Int]
        /// Measured from the start of the data.
        let range: Range<Int>
    }

    /// A tensor of a type that Rankwise does not read.
    struct Foreign {
        let name: String
        let dtype: String
        let shape: [Int]
        /// Measured from the start of the data.
        let range: Range<Int>
    }

    /// The place of any tensor.
    private struct Extent {
        let name: String
        let range: Range<Int>
    }

    /// In the order of the data.
    let entries: [Entry]
    /// The skipped tensors, whose types Rankwise does not read.
    let passedOver: [Foreign]
    let metadata: [String: String]
    let dataStart: Int

    /// - Parameters:
    ///   - start: the file's bytes, at least up to the end of its header.
    ///   - byteCount: the length of the whole file.
    ///   - passesOver: whether to skip tensors of types that the format has and adapters do not use.
    init(
        start: UnsafeRawBufferPointer, byteCount: Int, limits: SafetensorsFile.Limits, passesOver: Bool = false
    ) throws(SafetensorsError) {
        let length = try Self.length(start, byteCount: byteCount, limit: limits.headerBytes)
        dataStart = 8 + length
        let text = UnsafeRawBufferPointer(rebasing: start[8..<dataStart])
        var reader = EntryReader(text, limit: limits.tensors, passesOver: passesOver)
        let read = try reader.read()
        metadata = reader.metadata
        passedOver = reader.passedOver
        try Self.tile(
            read.map { Extent(name: $0.name, range: $0.range) }
                + reader.passedOver.map { Extent(name: $0.name, range: $0.range) },
            dataCount: byteCount - dataStart)
        entries = read.sorted { Self.inOrder($0.range, $1.range) }
    }

    /// The length of the header that follows.
    private static func length(
        _ start: UnsafeRawBufferPointer, byteCount: Int, limit: Int
    ) throws(SafetensorsError) -> Int {
        func refused(_ error: SafetensorsError) -> SafetensorsError {
            ForeignFormat(start).map(SafetensorsError.foreign) ?? error
        }
        guard start.count >= 8 else { throw refused(.fileTooShort(bytes: start.count)) }
        let length = UInt64(littleEndian: start.loadUnaligned(as: UInt64.self))
        guard length >= 2 else { throw refused(.headerTooShort(length: length)) }
        let isHeader = start.count > 8 && start[8] == UInt8(ascii: "{")
        guard length <= UInt64(limit) else {
            // No file of another format has a length here that a reader with higher limits would accept.
            throw isHeader && length <= 1 << 32
                ? .headerTooLong(length: length, limit: limit) : refused(.headerTooLong(length: length, limit: limit))
        }
        guard byteCount >= start.count, length <= UInt64(start.count - 8) else {
            let error = SafetensorsError.headerBeyondFile(length: length, available: start.count - 8)
            throw isHeader ? error : refused(error)
        }
        guard isHeader else { throw refused(.headerNotObject) }
        return Int(length)
    }

    private static func inOrder(_ one: Range<Int>, _ other: Range<Int>) -> Bool {
        (one.lowerBound, one.upperBound) < (other.lowerBound, other.upperBound)
    }

    /// Checks that the tensors cover the data without gaps or overlaps.
    private static func tile(_ extents: [Extent], dataCount: Int) throws(SafetensorsError) {
        var end = 0
        var last = ""
        for entry in extents.sorted(by: { inOrder($0.range, $1.range) }) {
            if entry.range.lowerBound < end { throw .overlap(tensor: entry.name, other: last) }
            if entry.range.lowerBound > end { throw .gap(before: entry.name, bytes: entry.range.lowerBound - end) }
            guard entry.range.upperBound <= dataCount else {
                throw .offsetsBeyondFile(tensor: entry.name, end: entry.range.upperBound, available: dataCount)
            }
            end = entry.range.upperBound
            last = entry.name
        }
        guard end == dataCount else { throw .trailingBytes(dataCount - end) }
    }
}

/// Reads the names of a header one by one.
private struct EntryReader {
    private var scanner: JSONScanner
    private let limit: Int
    private let passesOver: Bool
    private(set) var metadata: [String: String] = [:]
    private(set) var passedOver: [SafetensorsHeader.Foreign] = []
    private var names: Set<String> = []

    init(_ text: UnsafeRawBufferPointer, limit: Int, passesOver: Bool) {
        scanner = JSONScanner(text)
        self.limit = limit
        self.passesOver = passesOver
    }

    mutating func read() throws(SafetensorsError) -> [SafetensorsHeader.Entry] {
        var entries: [SafetensorsHeader.Entry] = []
        try beginObject()
        while let name = try nextName() {
            guard names.insert(name).inserted else { throw .duplicateName(name) }
            if name == "__metadata__" {
                try readMetadata()
            } else {
                guard entries.count + passedOver.count < limit else { throw .tooManyTensors(limit: limit) }
                if let entry = try readEntry(name) { entries.append(entry) }
            }
        }
        try finish()
        return entries
    }

    private mutating func readMetadata() throws(SafetensorsError) {
        // MLX writes null where it has no metadata, and the format's own library accepts that.
        if try skipNull() { return }
        try beginObject()
        while let key = try nextName() {
            guard try peek() == 0x22
            else { throw .metadataNotText(key) }
            let value = try string()
            guard metadata.updateValue(value, forKey: key) == nil else { throw .duplicateName(key) }
        }
    }

    /// Nil where the tensor is skipped.
    private mutating func readEntry(_ name: String) throws(SafetensorsError) -> SafetensorsHeader.Entry? {
        var typeName: String?
        var shape: [Int]?
        var offsets: [Int]?
        try beginObject()
        while let field = try nextName() {
            switch field {
            case "dtype" where typeName == nil:
                typeName = try string()
            case "shape" where shape == nil: shape = try counts(of: name)
            case "data_offsets" where offsets == nil: offsets = try counts(of: name)
            case "dtype", "shape", "data_offsets": throw .malformedTensor(name, reason: "has \(field) twice")
            default: throw .malformedTensor(name, reason: "has an unknown field \(field)")
            }
        }
        guard let typeName else { throw .malformedTensor(name, reason: "has no dtype") }
        guard let shape else { throw .malformedTensor(name, reason: "has no shape") }
        guard let offsets else { throw .malformedTensor(name, reason: "has no data_offsets") }
        guard offsets.count == 2, offsets[0] <= offsets[1] else {
            throw .malformedTensor(name, reason: "has data_offsets that are not a start and an end")
        }
        guard let type = ElementType(dtype: typeName) else {
            if passesOver, ElementType.knownElsewhere.contains(typeName) {
                passedOver.append(.init(name: name, dtype: typeName, shape: shape, range: offsets[0]..<offsets[1]))
                return nil
            }
            throw ElementType.knownElsewhere.contains(typeName)
                ? .unsupportedType(tensor: name, type: typeName) : .unknownType(tensor: name, type: typeName)
        }
        guard let expected = type.byteCount(of: shape) else { throw .shapeOverflow(tensor: name) }
        guard offsets[1] - offsets[0] == expected else {
            throw .offsetsMismatchShape(tensor: name, expected: expected, found: offsets[1] - offsets[0])
        }
        return .init(name: name, type: type, shape: shape, range: offsets[0]..<offsets[1])
    }

    /// A list of sizes, at most `sides` of them.
    private mutating func counts(of name: String) throws(SafetensorsError) -> [Int] {
        let sides = 16
        var values: [Int] = []
        try beginArray()
        while try nextElement() {
            guard values.count < sides else { throw .malformedTensor(name, reason: "has more than \(sides) sizes") }
            values.append(try count())
        }
        return values
    }
}

/// The scanner's steps, which throw the header's error.
extension EntryReader {
    private mutating func beginObject() throws(SafetensorsError) {
        do throws(JSONSyntaxError) { try scanner.beginObject() } catch { throw .headerSyntax(error) }
    }

    private mutating func beginArray() throws(SafetensorsError) {
        do throws(JSONSyntaxError) { try scanner.beginArray() } catch { throw .headerSyntax(error) }
    }

    private mutating func nextName() throws(SafetensorsError) -> String? {
        do throws(JSONSyntaxError) { return try scanner.nextName() } catch { throw .headerSyntax(error) }
    }

    private mutating func nextElement() throws(SafetensorsError) -> Bool {
        do throws(JSONSyntaxError) { return try scanner.nextElement() } catch { throw .headerSyntax(error) }
    }

    private mutating func peek() throws(SafetensorsError) -> UInt8 {
        do throws(JSONSyntaxError) { return try scanner.peek(expecting: "a value") } catch {
            throw .headerSyntax(error)
        }
    }

    private mutating func skipNull() throws(SafetensorsError) -> Bool {
        do throws(JSONSyntaxError) { return try scanner.skipNull() } catch { throw .headerSyntax(error) }
    }

    private mutating func string() throws(SafetensorsError) -> String {
        do throws(JSONSyntaxError) { return try scanner.string() } catch { throw .headerSyntax(error) }
    }

    private mutating func count() throws(SafetensorsError) -> Int {
        do throws(JSONSyntaxError) { return try scanner.count() } catch { throw .headerSyntax(error) }
    }

    private mutating func finish() throws(SafetensorsError) {
        do throws(JSONSyntaxError) { try scanner.finish() } catch { throw .headerSyntax(error) }
    }
}
