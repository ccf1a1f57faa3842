/// One tensor of a file, without a copy; it keeps the file's storage alive.
package struct TensorView: Sendable {
    package let name: String
    /// The type of the stored numbers, or the type of `floats` where they are quantised.
    package let type: ScalarType
    /// Row-major, as safetensors has it.
    package let shape: [Int]
    let storage: TensorStorage
    let range: Range<Int>
    private let packing: Packing?

    /// The places of a quantised tensor's parts.
    struct Packing: Sendable {
        let bits: MessageBits
        /// A Float a row.
        let scales: Range<Int>
        /// A Float a row.
        let minima: Range<Int>
    }

    /// - Precondition: `range` lies in the storage and holds exactly the numbers of `shape`, as `packing` says.
    init(
        name: String, type: ScalarType, shape: [Int], storage: TensorStorage, range: Range<Int>,
        packing: Packing? = nil
    ) {
        self.name = name
        self.type = type
        self.shape = shape
        self.storage = storage
        self.range = range
        self.packing = packing
    }

    package var elementCount: Int { packing == nil ? range.count / type.byteCount : shape.reduce(1, *) }
    /// The bytes of the stored numbers, without the scales and minima of quantised ones.
    package var byteCount: Int { range.count }

    /// How the tensor is quantised; nil where it is not.
    package var messageBits: MessageBits? { packing?.bits }

    /// The decoding of a quantised tensor; each access reads it from the file, so keep it while you use it.
    package var quantisation: Quantisation? {
        packing.map { packing in
            Quantisation(
                bits: packing.bits, columns: MessageBits.columns(of: shape), scales: floats(at: packing.scales),
                minima: floats(at: packing.minima))
        }
    }

    /// Lends the bytes, little-endian and at any alignment: numbers of `type`, or the codes of `quantisation`.
    package func withBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try storage.withBytes { bytes throws(Failure) in
            try body(UnsafeRawBufferPointer(rebasing: bytes[range]))
        }
    }

    /// Copies bytes of the tensor from an offset into a buffer.
    package typealias Reader = @Sendable (_ offset: Int, _ target: UnsafeMutableRawBufferPointer) -> Void

    /// Reads the tensor from its file. For one pass over the whole tensor, this costs less than its mapping. Nil where
    /// there is no file to read from.
    package var reader: Reader? {
        guard storage.isReadable else { return nil }
        let (storage, range) = (storage, range)
        return { offset, target in
            precondition(offset >= 0 && target.count <= range.count - offset, "bytes outside their tensor")
            storage.copyBytes(at: range.lowerBound + offset, into: target)
        }
    }

    /// Counts the numbers that a Float cannot hold as finite ones.
    package func notFiniteCount() -> Int { count(beyond: .greatestFiniteMagnitude) }

    /// Counts the numbers whose absolute value exceeds `limit`, or that are no finite Floats.
    ///
    /// - Precondition: `limit` is finite and at least 65504, the largest half.
    package func count(beyond limit: Float) -> Int {
        let quantisation = quantisation
        return withBytes { quantisation?.count(in: $0, beyond: limit) ?? type.count(in: $0, beyond: limit) }
    }

    /// The sum of the squares of all numbers.
    func squareSum() -> Double {
        guard packing == nil else { return floats().reduce(0) { $0 + Double($1) * Double($1) } }
        return withBytes { type.squareSum(in: $0) }
    }

    /// The numbers, in the order of the file.
    package func floats() -> [Float] {
        let elementCount = elementCount
        return [Float](unsafeUninitializedCapacity: elementCount) { buffer, count in
            decode(into: UnsafeMutableBufferPointer(rebasing: buffer[..<elementCount]))
            count = elementCount
        }
    }

    /// Writes the numbers, in the order of the file, to memory that need not be initialized.
    ///
    /// - Precondition: `target` holds exactly as many numbers.
    package func decode(into target: UnsafeMutableBufferPointer<Float>) {
        precondition(target.count == elementCount, "a tensor decoded into another size than its own")
        let quantisation = quantisation
        withBytes { bytes in
            if let quantisation {
                quantisation.decode(bytes, into: target)
            } else {
                type.decode(bytes, into: target)
            }
        }
    }

    /// Writes the numbers of some rows (of the first side) to memory that need not be initialized.
    ///
    /// - Precondition: the rows exist, and `target` holds exactly their numbers.
    package func decode(rows: Range<Int>, into target: UnsafeMutableBufferPointer<Float>) {
        let width = elementCount / max(1, shape.first ?? 1)
        precondition(
            rows.lowerBound >= 0 && rows.upperBound <= shape.first ?? 1 && target.count == rows.count * width,
            "rows decoded into another size than their own")
        let rowBytes = packing?.bits.byteCount(columns: width) ?? width * type.byteCount
        let bytes = rows.lowerBound * rowBytes..<rows.upperBound * rowBytes
        if let quantisation {
            withBytes { quantisation.decode(UnsafeRawBufferPointer(rebasing: $0[bytes]), rows: rows, into: target) }
        } else if type == .f32, let reader {
            reader(bytes.lowerBound, UnsafeMutableRawBufferPointer(target))
        } else {
            withBytes { type.decode(UnsafeRawBufferPointer(rebasing: $0[bytes]), into: target) }
        }
    }

    /// Some rows (of the first side) of a tensor that is not quantised.
    ///
    /// - Precondition: the rows exist.
    func rows(_ rows: Range<Int>) -> TensorView {
        let rowBytes = range.count / max(1, shape[0])
        let start = range.lowerBound + rows.lowerBound * rowBytes
        return TensorView(
            name: name, type: type, shape: [rows.count] + shape.dropFirst(), storage: storage,
            range: start..<start + rows.count * rowBytes)
    }

    /// A copy of the columns `first`, `first + step`, … of a matrix that is not quantised.
    ///
    /// - Precondition: there is such a column.
    func columns(from first: Int, each step: Int) -> TensorView {
        let (rows, width, size) = (shape[0], shape[1], type.byteCount)
        let count = (width - first + step - 1) / step
        let copy = withBytes { source in
            let target = UnsafeMutableRawBufferPointer.allocate(byteCount: rows * count * size, alignment: 16)
            defer { target.deallocate() }
            var place = 0
            for row in 0..<rows {
                for column in stride(from: first, to: width, by: step) {
                    let start = (row * width + column) * size
                    for byte in 0..<size { target[place + byte] = source[start + byte] }
                    place += size
                }
            }
            return TensorStorage(copying: UnsafeRawBufferPointer(target))
        }
        return TensorView(name: name, type: type, shape: [rows, count], storage: copy, range: 0..<copy.count)
    }

    private func floats(at range: Range<Int>) -> [Float] {
        let elementCount = range.count / ScalarType.f32.byteCount
        return [Float](unsafeUninitializedCapacity: elementCount) { buffer, count in
            let target = UnsafeMutableBufferPointer(rebasing: buffer[..<elementCount])
            storage.withBytes { bytes in
                ScalarType.f32.decode(UnsafeRawBufferPointer(rebasing: bytes[range]), into: target)
            }
            count = elementCount
        }
    }

    /// The bytes of a tensor during a call, with the parts of a quantised one.
    package struct Lent {
        /// Numbers, or codes.
        package let bytes: UnsafeRawBufferPointer
        /// A Float a row, little-endian and at any alignment; nil where the tensor is not quantised.
        package let scales: UnsafeRawBufferPointer?
        /// The same for the minima.
        package let minima: UnsafeRawBufferPointer?
    }

    /// Lends the bytes of many tensors at once.
    package static func withBytes<Result, Failure: Error>(
        of tensors: [TensorView], _ body: ([Lent]) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        // The views in `tensors` keep every storage alive until the body returns.
        defer { withExtendedLifetime(tensors) {} }
        return try body(tensors.map(\.lent))
    }

    private var lent: Lent {
        storage.withBytes { bytes in
            Lent(
                bytes: UnsafeRawBufferPointer(rebasing: bytes[range]),
                scales: packing.map { UnsafeRawBufferPointer(rebasing: bytes[$0.scales]) },
                minima: packing.map { UnsafeRawBufferPointer(rebasing: bytes[$0.minima]) })
        }
    }
}
