/// One matrix of a weighted sum, decoded while it is added.
package struct WeightedMatrix {
    /// Turns the integers of a quantised matrix into numbers: one scale and one minimum for each row.
    package struct Channels {
        /// Float32, little-endian and at any alignment.
        package let scales: UnsafeRawBufferPointer
        /// Float32, little-endian and at any alignment.
        package let minima: UnsafeRawBufferPointer

        package init(scales: UnsafeRawBufferPointer, minima: UnsafeRawBufferPointer) {
            self.scales = scales
            self.minima = minima
        }
    }

    /// Fills a buffer with bytes from an offset.
    package typealias Fetch = (_ offset: Int, _ target: UnsafeMutableRawBufferPointer) -> Void

    /// Row-major.
    package let bytes: UnsafeRawBufferPointer
    /// Reads parts of the bytes, in place of `bytes`. Reading a file is cheaper than mapping it, because mapped pages
    /// enter and leave the process's page table one by one.
    package let fetch: Fetch?
    package let storage: StoredReal
    /// For a quantised matrix; nil for real numbers.
    package let channels: Channels?
    /// One factor for each row under `accumulateRows`, for each column under `accumulateColumns`.
    package let coefficients: [Float]

    /// - Parameters:
    ///   - bytes: the matrix, row-major.
    ///   - fetch: reads the bytes in place of `bytes`; nil for none.
    ///   - channels: required for quantised storage, nil for real numbers.
    ///   - coefficients: one for each row or column, as the kernel defines.
    package init(
        bytes: UnsafeRawBufferPointer, fetch: Fetch? = nil, storage: StoredReal, channels: Channels? = nil,
        coefficients: [Float]
    ) {
        self.bytes = bytes
        self.fetch = fetch
        self.storage = storage
        self.channels = channels
        self.coefficients = coefficients
    }
}

extension WeightedMatrix {
    /// Checks a kernel's conditions once, so that the kernel need not check them for each number.
    func check(rows: Int, columns: Int) {
        precondition(
            bytes.count == storage.byteCount(rows: rows, columns: columns), "a term of another size than its shape")
        precondition(storage.isQuantised == (channels != nil), "channels without quantised numbers, or none with them")
        if let channels {
            precondition(
                channels.scales.count == rows * 4 && channels.minima.count == rows * 4,
                "another number of channels than of rows")
        }
    }
}

extension WeightedMatrix.Channels {
    /// - Precondition: the row exists.
    @inline(__always)
    subscript(row: Int) -> Channel {
        Channel(
            scale: scales.loadUnaligned(fromByteOffset: row * 4, as: Float.self),
            minimum: minima.loadUnaligned(fromByteOffset: row * 4, as: Float.self))
    }
}
