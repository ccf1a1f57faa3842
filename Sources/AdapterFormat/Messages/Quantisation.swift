/// The decoding of a quantised tensor's bytes: x = minima[row] + scales[row]·q.
///
/// A row has all numbers with one index of the first side, and starts on a byte. Of two 4-bit codes in a byte, the low
/// nibble comes first.
package struct Quantisation: Sendable, Hashable {
    package let bits: MessageBits
    /// The numbers in a row.
    package let columns: Int
    /// One per row, finite and not negative; 0 where every number of the row is its minimum.
    package let scales: [Float]
    /// One per row, finite.
    package let minima: [Float]

    package var bytesPerRow: Int { bits.byteCount(columns: columns) }

    func channel(_ row: Int) -> MessageBits.Channel { .init(scale: scales[row], minimum: minima[row]) }

    /// - Precondition: `source` holds exactly the rows, and `target` their numbers.
    func decode(_ source: UnsafeRawBufferPointer, into target: UnsafeMutableBufferPointer<Float>) {
        decode(source, rows: scales.indices, into: target)
    }

    /// - Precondition: `source` holds exactly these rows, and `target` their numbers.
    func decode(
        _ source: UnsafeRawBufferPointer, rows: Range<Int>, into target: UnsafeMutableBufferPointer<Float>
    ) {
        for (place, row) in rows.enumerated() {
            bits.decode(
                UnsafeRawBufferPointer(rebasing: source[place * bytesPerRow..<(place + 1) * bytesPerRow]),
                of: channel(row),
                into: UnsafeMutableBufferPointer(rebasing: target[place * columns..<(place + 1) * columns]))
        }
    }

    /// Counts the numbers whose absolute value exceeds `limit`, or that overflow a Float. Decodes only rows that may
    /// hold any.
    func count(in source: UnsafeRawBufferPointer, beyond limit: Float = .greatestFiniteMagnitude) -> Int {
        var total = 0
        for row in scales.indices where !isWithin(limit, row) {
            let numbers = [Float](unsafeUninitializedCapacity: columns) { buffer, count in
                bits.decode(
                    UnsafeRawBufferPointer(rebasing: source[row * bytesPerRow..<(row + 1) * bytesPerRow]),
                    of: channel(row), into: UnsafeMutableBufferPointer(rebasing: buffer[..<columns]))
                count = columns
            }
            total += numbers.count { !(abs($0) <= limit) }
        }
        return total
    }

    /// Whether every code of a row stands for a number of at most this absolute value.
    private func isWithin(_ limit: Float, _ row: Int) -> Bool {
        let top = minima[row] + scales[row] * Float(bits.levels)
        return abs(minima[row]) <= limit && abs(top) <= limit
    }
}
