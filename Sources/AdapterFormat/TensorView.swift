/// One tensor of a file, lent without copying; it keeps the file's storage alive.
package struct TensorView: Sendable {
    package let name: String
    package let type: ScalarType
    /// Row-major, as safetensors has it.
    package let shape: [Int]
    private let storage: TensorStorage
    private let range: Range<Int>

    /// - Precondition: `range` lies in the storage and holds exactly the numbers of `shape`.
    init(name: String, type: ScalarType, shape: [Int], storage: TensorStorage, range: Range<Int>) {
        self.name = name
        self.type = type
        self.shape = shape
        self.storage = storage
        self.range = range
    }

    package var elementCount: Int { range.count / type.byteCount }
    package var byteCount: Int { range.count }

    /// Lends the bytes, little-endian and at any alignment.
    package func withBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try storage.withBytes { bytes throws(Failure) in
            try body(UnsafeRawBufferPointer(rebasing: bytes[range]))
        }
    }

    /// Copies bytes of the tensor, from `offset` on: for a pass over a mapped file cheaper than to borrow them.
    ///
    /// - Precondition: as many bytes as `target` takes are there.
    package func copyBytes(at offset: Int, into target: UnsafeMutableRawBufferPointer) {
        precondition(offset >= 0 && target.count <= range.count - offset, "bytes outside their tensor")
        storage.copyBytes(at: range.lowerBound + offset, into: target)
    }

    /// How many of the numbers a Float cannot hold as finite ones.
    package func notFiniteCount() -> Int {
        withBytes { type.notFiniteCount(in: $0) }
    }

    /// The numbers, in the order of the file.
    package func floats() -> [Float] {
        [Float](unsafeUninitializedCapacity: elementCount) { buffer, count in
            let target = UnsafeMutableBufferPointer(rebasing: buffer[..<elementCount])
            withBytes { type.decode($0, into: target) }
            count = elementCount
        }
    }

    /// Lends the bytes of many tensors at once.
    package static func withBytes<Result, Failure: Error>(
        of tensors: [TensorView], _ body: ([UnsafeRawBufferPointer]) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        // The views in `tensors` keep every storage alive until the body is done.
        defer { withExtendedLifetime(tensors) {} }
        return try body(tensors.map { tensor in tensor.withBytes { $0 } })
    }
}
