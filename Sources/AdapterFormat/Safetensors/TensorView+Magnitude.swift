extension TensorView {
    /// The largest absolute value of its numbers; 0 where there are none.
    ///
    /// - Precondition: the numbers are finite Floats.
    package func largestMagnitude() -> Float {
        let rows = shape.first ?? 1
        guard rows > 0, elementCount > 0 else { return 0 }
        let width = elementCount / rows
        let step = max(1, 65_536 / width)
        return withUnsafeTemporaryAllocation(of: Float.self, capacity: min(step, rows) * width) { buffer in
            // The order of magnitudes is that of their bits.
            var largest: UInt32 = 0
            for first in stride(from: 0, to: rows, by: step) {
                let some = first..<min(first + step, rows)
                let values = UnsafeMutableBufferPointer(rebasing: buffer[..<(some.count * width)])
                decode(rows: some, into: values)
                for value in values { largest = max(largest, value.bitPattern & 0x7FFF_FFFF) }
            }
            return Float(bitPattern: largest)
        }
    }
}
