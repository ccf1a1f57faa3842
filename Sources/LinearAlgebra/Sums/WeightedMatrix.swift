/// One matrix of a weighted sum, decoded while it is added.
package struct WeightedMatrix {
    /// What turns the integers of a quantised matrix into numbers: one scale and one minimum a row.
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

    /// Copies the bytes from an offset on into a buffer, all of which are there.
    package typealias Fetch = (_ offset: Int, _ target: UnsafeMutableRawBufferPointer) -> Void

    /// Row-major.
    package let bytes: UnsafeRawBufferPointer
    /// Where to take the bytes from instead, part by part: reading a file costs less than touching its mapping, whose
    /// pages have to be entered into the process's tables one by one and taken out again.
    package let fetch: Fetch?
    package let storage: StoredReal
    /// Of a quantised matrix; nil for real numbers.
    package let channels: Channels?
    /// One factor per row under `accumulateRows`, per column under `accumulateColumns`; their number is the matrix's.
    package let coefficients: [Float]

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
    /// The rules that a kernel checks once, so that it need not check them per number.
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
    /// - Precondition: there is such a row.
    @inline(__always)
    subscript(row: Int) -> Channel {
        Channel(
            scale: scales.loadUnaligned(fromByteOffset: row * 4, as: Float.self),
            minimum: minima.loadUnaligned(fromByteOffset: row * 4, as: Float.self))
    }
}
