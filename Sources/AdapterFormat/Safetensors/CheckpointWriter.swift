import StrictJSON

/// Writes a model's file again: some tensors with other numbers, some added, and all others byte for byte.
///
/// Without additions the header and every tensor's place stay the same. An added tensor follows the last one whose
/// numbers have the same width, so every tensor stays aligned to its type.
package struct CheckpointWriter {
    /// A tensor that the file does not have.
    package struct Addition: Sendable {
        package let name: String
        package let type: ScalarType
        package let shape: [Int]

        package init(name: String, type: ScalarType, shape: [Int]) {
            self.name = name
            self.type = type
            self.shape = shape
        }
    }

    private struct Place {
        let name: String
        let dtype: String
        let shape: [Int]
        let byteCount: Int
        /// The place of its bytes in the file; nil for an added tensor.
        let source: Range<Int>?
        /// Bytes of a number; 0 for types smaller than a byte.
        var width: Int { byteCount / max(1, shape.reduce(1, *)) }
    }

    private let file: CheckpointFile
    private let descriptor: Int32
    private let places: [Place]
    private let offsets: [String: Int]
    private var written: Set<String>

    /// Reserves the whole file on the disk and writes the header.
    ///
    /// - Parameter descriptor: an empty file, open for writing; the caller syncs and closes it.
    package init(
        _ file: CheckpointFile, adding additions: [Addition] = [], descriptor: Int32
    ) throws(SafetensorsWriteError) {
        var places = file.tensors.map {
            Place(name: $0.name, dtype: $0.dtype, shape: $0.shape, byteCount: $0.byteCount, source: $0.range)
        }
        for addition in additions.sorted(by: { $0.name.precedes($1.name) }) {
            guard file[addition.name] == nil else { throw .duplicate(addition.name) }
            guard let bytes = addition.type.byteCount(of: addition.shape) else { throw .tooLarge(addition.name) }
            let width = addition.type.byteCount
            let place = Place(
                name: addition.name, dtype: addition.type.rawValue, shape: addition.shape, byteCount: bytes, source: nil
            )
            let position = places.lastIndex { $0.width >= width }.map { $0 + 1 } ?? 0
            places.insert(place, at: position)
        }
        let head = additions.isEmpty ? file.head : Self.head(of: places, metadata: file.metadata)
        var offsets: [String: Int] = [:]
        var end = head.count
        for place in places {
            offsets[place.name] = end
            let (next, overflow) = end.addingReportingOverflow(place.byteCount)
            guard !overflow else { throw .tooLarge(place.name) }
            end = next
        }
        self.file = file
        self.descriptor = descriptor
        self.places = places
        self.offsets = offsets
        written = []
        try FileRoom.reserve(end, descriptor)
        try head.withUnsafeBufferPointer { head throws(SafetensorsWriteError) in
            try FileRoom.put(UnsafeRawBufferPointer(head), at: 0, descriptor)
        }
    }

    /// Writes one tensor, rounding to its type.
    ///
    /// - Throws: `undeclared` for a name that the file lacks, that was written already, or whose type cannot be
    ///   written; `notFinite` for a number that the type cannot hold.
    package mutating func write(_ values: [Float], to name: String) throws(SafetensorsWriteError) {
        guard let place = places.first(where: { $0.name == name }), let type = ScalarType(rawValue: place.dtype),
            let start = offsets[name], written.insert(name).inserted
        else { throw .undeclared(name) }
        let count = place.byteCount / type.byteCount
        guard values.count == count else { throw .length(name, expected: count, found: values.count) }
        try values.withUnsafeBufferPointer { values throws(SafetensorsWriteError) in
            let block = UnsafeMutableRawBufferPointer.allocate(
                byteCount: min(Self.blockSize, max(1, values.count)) * type.byteCount, alignment: 16)
            defer { block.deallocate() }
            for first in stride(from: 0, to: values.count, by: Self.blockSize) {
                let some = UnsafeBufferPointer(rebasing: values[first..<min(first + Self.blockSize, values.count)])
                let bytes = UnsafeMutableRawBufferPointer(rebasing: block[..<(some.count * type.byteCount)])
                type.encode(some, into: bytes)
                guard type.count(in: UnsafeRawBufferPointer(bytes)) == 0 else {
                    throw .notFinite(name, row: first / max(1, count / max(1, place.shape.first ?? 1)))
                }
                try FileRoom.put(UnsafeRawBufferPointer(bytes), at: start + first * type.byteCount, descriptor)
            }
        }
    }

    /// Copies every tensor that was not written from its source file.
    ///
    /// - Throws: `missing` for an added tensor that was not written.
    package func finish() throws(SafetensorsWriteError) {
        for place in places where !written.contains(place.name) {
            guard let source = place.source, let start = offsets[place.name] else { throw .missing(place.name) }
            try file.storage.withBytes { bytes throws(SafetensorsWriteError) in
                try FileRoom.put(UnsafeRawBufferPointer(rebasing: bytes[source]), at: start, descriptor)
            }
        }
    }

    private static let blockSize = 65_536

    /// The length of the header in eight bytes, then the header.
    private static func head(of places: [Place], metadata: [String: String]) -> [UInt8] {
        var entries: [String] = []
        if !metadata.isEmpty {
            let pairs = metadata.sorted { $0.key.precedes($1.key) }
                .map { "\($0.key.jsonQuoted):\($0.value.jsonQuoted)" }
            entries.append("\"__metadata__\":{\(pairs.joined(separator: ","))}")
        }
        var end = 0
        for place in places {
            let shape = place.shape.map(String.init).joined(separator: ",")
            entries.append(
                """
                \(place.name.jsonQuoted):{"dtype":\(place.dtype.jsonQuoted),"shape":[\(shape)],\
                "data_offsets":[\(end),\(end + place.byteCount)]}
                """)
            end += place.byteCount
        }
        return SafetensorsLayout.head(entries)
    }
}

extension CheckpointFile {
    /// The length of the header in eight bytes, then the header, unchanged.
    fileprivate var head: [UInt8] { storage.withBytes { Array($0[..<dataStart]) } }
}
