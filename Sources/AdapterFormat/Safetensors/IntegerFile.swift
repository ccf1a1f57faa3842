/// A safetensors file of 64-bit integers (I64), and at most one list of bytes (U8): where each lies, checked when it is
/// opened.
package struct IntegerFile: Sendable {
    package struct Tensor: Sendable, Hashable {
        package let name: String
        package let shape: [Int]
        /// Measured from the start of the file.
        fileprivate let range: Range<Int>
    }

    /// In the order of the data.
    package let tensors: [Tensor]
    package let metadata: [String: String]
    /// The list of bytes; nil for none.
    package let bytes: Bytes?
    private let storage: TensorStorage
    private let positions: [String: Int]

    /// A list of bytes, which lives as long as this value.
    package struct Bytes: Sendable {
        package let name: String
        package let storage: TensorStorage
        /// Measured from the start of the storage.
        package let range: Range<Int>
    }

    static let dtype = "I64"
    static let bytesType = "U8"

    /// The most tensors and the longest header that are read: those of a partial sum of 65,536 modules.
    private static let limits = SafetensorsFile.Limits(headerBytes: 200_000_000, tensors: 1 << 20)

    /// Maps the file and checks that its tensors cover it without gaps or overlaps, and that all are integers.
    package init(path: String) throws(IntegerFileError) {
        let storage: TensorStorage
        do throws(SystemError) { storage = try TensorStorage(mapping: path) } catch {
            throw .safetensors(.unreadable(error))
        }
        try self.init(storage)
    }

    /// Checks bytes in memory and keeps a copy.
    package init(bytes: [UInt8]) throws(IntegerFileError) {
        try self.init(bytes.withUnsafeBytes { TensorStorage(copying: $0) })
    }

    private init(_ storage: TensorStorage) throws(IntegerFileError) {
        let header: SafetensorsHeader
        do throws(SafetensorsError) {
            header = try storage.withBytes { bytes throws(SafetensorsError) in
                try SafetensorsHeader(
                    start: bytes, byteCount: bytes.count, limits: Self.limits, passesOver: true)
            }
        } catch {
            throw .safetensors(error)
        }
        for entry in header.entries where entry.type.dtype != Self.bytesType || entry.shape.count != 1 {
            throw .type(tensor: entry.name, found: entry.type.dtype)
        }
        guard header.entries.count <= 1 else {
            throw .type(tensor: header.entries[1].name, found: Self.bytesType)
        }
        bytes = header.entries.first.map {
            Bytes(
                name: $0.name, storage: storage,
                range: header.dataStart + $0.range.lowerBound..<header.dataStart + $0.range.upperBound)
        }
        tensors = try header.passedOver.map { entry throws(IntegerFileError) in
            guard entry.dtype == Self.dtype else { throw .type(tensor: entry.name, found: entry.dtype) }
            guard let expected = ScalarType.f64.byteCount(of: entry.shape) else {
                throw .safetensors(.shapeOverflow(tensor: entry.name))
            }
            guard entry.range.count == expected else {
                throw .safetensors(
                    .offsetsMismatchShape(tensor: entry.name, expected: expected, found: entry.range.count))
            }
            return Tensor(
                name: entry.name, shape: entry.shape,
                range: header.dataStart + entry.range.lowerBound..<header.dataStart + entry.range.upperBound)
        }
        metadata = header.metadata
        self.storage = storage
        positions = Dictionary(uniqueKeysWithValues: tensors.enumerated().map { ($1.name, $0) })
    }

    package subscript(name: String) -> Tensor? { positions[name].map { tensors[$0] } }

    /// Lends the bytes of one of this file's tensors: little-endian integers at any alignment.
    package func withBytes<Result, Failure: Error>(
        of tensor: Tensor, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try storage.withBytes { bytes throws(Failure) in
            try body(UnsafeRawBufferPointer(rebasing: bytes[tensor.range]))
        }
    }
}

/// Why bytes are no file of integers.
package enum IntegerFileError: Error, Equatable, Sendable {
    case safetensors(SafetensorsError)
    case type(tensor: String, found: String)
}

extension IntegerFileError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .safetensors(let error): "\(error)"
        case .type(let tensor, let found): "\(tensor) is \(found); expected \(IntegerFile.dtype)"
        }
    }
}
