package import AdapterFormat

/// A GGUF file of version 2 or 3, checked as a whole when it is opened: metadata, and where each tensor lies.
///
/// The format: "GGUF", version, numbers of tensors and of keys, the metadata, an entry for each tensor, padding, the data.
/// (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md)
package struct GGUFFile: Sendable {
    package struct Tensor: Sendable, Hashable {
        package let name: String
        /// The slowest side first, as Hugging Face has it; the file has the opposite order.
        package let shape: [Int]
        package let type: StoredType
        /// Measured from the start of the file.
        package let range: Range<Int>
    }

    /// The most tensors and the most keys that a file may have.
    static let countLimit = 65_536

    /// For errors.
    package let path: String
    package let version: UInt32
    package let metadata: [String: GGUFValue]
    /// In the order of the data.
    package let tensors: [Tensor]
    /// Where the keys and their values lie.
    let keys: Range<Int>
    package let alignment: Int
    let storage: TensorStorage

    package static func isGGUF(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.count >= 4 && bytes.prefix(4).elementsEqual("GGUF".utf8)
    }

    package init(_ storage: TensorStorage, path: String) throws(ModelFileError) {
        self.path = path
        self.storage = storage
        do throws(GGUFError) {
            (version, metadata, keys, alignment, tensors) = try storage.withBytes { bytes throws(GGUFError) in
                try Self.read(storage, bytes)
            }
        } catch {
            throw .gguf(file: path, error)
        }
    }

    private static func read(
        _ storage: TensorStorage, _ bytes: UnsafeRawBufferPointer
    ) throws(GGUFError) -> (UInt32, [String: GGUFValue], Range<Int>, Int, [Tensor]) {
        var reader = GGUFReader(storage, bytes)
        let version = try reader.start()
        let tensorCount = try reader.count(of: "tensors", limit: countLimit)
        let keyCount = try reader.count(of: "keys", limit: countLimit)
        let first = reader.offset
        var metadata: [String: GGUFValue] = [:]
        for _ in 0..<keyCount {
            let key = try reader.name("a key", limit: GGUFReader.keyLimit)
            guard metadata.updateValue(try reader.value(of: key), forKey: key) == nil else {
                throw .duplicateKey(key)
            }
        }
        let keys = first..<reader.offset
        let alignment = try alignment(metadata["general.alignment"])
        var entries: [Entry] = []
        var names: Set<String> = []
        for _ in 0..<tensorCount {
            let entry = try Entry(&reader, alignment: alignment)
            guard names.insert(entry.name).inserted else { throw .duplicateTensor(entry.name) }
            entries.append(entry)
        }
        let (padded, overflow) = reader.offset.addingReportingOverflow(alignment - 1)
        let start = overflow ? bytes.count : padded / alignment * alignment
        return (
            version, metadata, keys, alignment,
            try place(entries, start: start, fileBytes: bytes.count, alignment: alignment)
        )
    }

    private static func alignment(_ value: GGUFValue?) throws(GGUFError) -> Int {
        guard let value else { return 32 }
        guard case .integer(let alignment) = value, 8...65_536 ~= alignment, alignment.nonzeroBitCount == 1 else {
            throw .alignment(found: value.summary)
        }
        return alignment
    }

    /// A tensor as the header states it.
    private struct Entry {
        let name: String
        let shape: [Int]
        let type: StoredType
        /// From the start of the data.
        let offset: Int
        let byteCount: Int

        init(_ reader: inout GGUFReader, alignment: Int) throws(GGUFError) {
            name = try reader.name("a tensor's name", limit: GGUFReader.nameLimit)
            let sides = try reader.uint32("the number of sizes of \(name)")
            guard 1...4 ~= sides else { throw .sides(tensor: name, found: sides) }
            var shape: [Int] = []
            for _ in 0..<sides {
                let side = try reader.uint64("a size of \(name)")
                guard side > 0 else { throw .emptySide(tensor: name) }
                guard let side = Int(exactly: side) else { throw .shapeOverflow(tensor: name) }
                shape.append(side)
            }
            let number = try reader.uint32("the type of \(name)")
            guard let type = StoredType(rawValue: number) else {
                throw .unsupportedType(tensor: name, found: StoredType.name(ofNumber: number))
            }
            guard shape[0].isMultiple(of: type.blockLength) else {
                throw .partialBlock(
                    tensor: name, columns: shape[0], type: type.description, block: type.blockLength)
            }
            self.shape = shape.reversed()
            self.type = type
            guard let bytes = type.byteCount(of: self.shape),
                !self.shape.reduce(
                    (1, false),
                    {
                        (
                            $0.0.multipliedReportingOverflow(by: $1).partialValue,
                            $0.1 || $0.0.multipliedReportingOverflow(by: $1).overflow
                        )
                    }
                ).1
            else { throw .shapeOverflow(tensor: name) }
            byteCount = bytes
            let offset = try reader.uint64("the offset of \(name)")
            guard offset.isMultiple(of: UInt64(alignment)) else {
                throw .unaligned(tensor: name, offset: offset, alignment: alignment)
            }
            guard let place = Int(exactly: offset), place <= .max - bytes else {
                throw .beyondFile(tensor: name, end: .max, available: 0)
            }
            self.offset = place
        }
    }

    /// The tensors must cover the data: each begins at the next multiple of the alignment after the one before it.
    private static func place(
        _ entries: [Entry], start: Int, fileBytes: Int, alignment: Int
    ) throws(GGUFError) -> [Tensor] {
        let available = max(0, fileBytes - start)
        var tensors: [Tensor] = []
        var end = 0
        for entry in entries.sorted(by: { ($0.offset, $0.byteCount) < ($1.offset, $1.byteCount) }) {
            guard entry.offset + entry.byteCount <= available else {
                throw .beyondFile(tensor: entry.name, end: entry.offset + entry.byteCount, available: available)
            }
            guard entry.offset >= end else { throw .overlap(tensor: entry.name, other: tensors.last?.name ?? "") }
            guard entry.offset - end < alignment else { throw .gap(before: entry.name, bytes: entry.offset - end) }
            let first = start + entry.offset
            tensors.append(
                Tensor(name: entry.name, shape: entry.shape, type: entry.type, range: first..<first + entry.byteCount))
            end = entry.offset + entry.byteCount
        }
        guard available - end < alignment else { throw .trailingBytes(available - end) }
        return tensors
    }
}
