/// Many numbers in fixed point, as two planes of integers: the sums of an exact aggregation.
package struct FixedPointPlanes: Sendable, Equatable {
    /// In units of 2⁻²⁴.
    package private(set) var hi: [Int64]
    /// In units of 2⁻⁶⁴; 0 ≤ lo < 2⁴⁰.
    package private(set) var lo: [Int64]

    package var count: Int { hi.count }

    /// All zero.
    package init(zeros count: Int) {
        hi = [Int64](repeating: 0, count: count)
        lo = hi
    }

    package init(_ numbers: [FixedPoint]) {
        hi = numbers.map(\.hi)
        lo = numbers.map(\.lo)
    }

    /// Why two planes cannot be added.
    package enum PlaneError: Error, Equatable, Sendable {
        /// The second plane of the number at `index` is out of its range.
        case low(index: Int, found: Int64)
        /// The sum at `index` does not fit.
        case overflow(index: Int)
    }

    /// - Precondition: the index exists.
    package subscript(index: Int) -> FixedPoint { FixedPoint(carrying: hi[index], lo[index]) }

    /// Adds planes as files hold them: little-endian integers at any alignment.
    ///
    /// - Precondition: both have as many integers as these.
    package mutating func add(
        hi otherHi: UnsafeRawBufferPointer, lo otherLo: UnsafeRawBufferPointer
    ) throws(PlaneError) {
        precondition(otherHi.count == count * 8 && otherLo.count == count * 8, "planes of another size")
        let failed = hi.withUnsafeMutableBufferPointer { hi in
            lo.withUnsafeMutableBufferPointer { lo in Self.add(otherHi, otherLo, hi, lo) }
        }
        guard let index = failed else { return }
        let found = Int64(littleEndian: otherLo.loadUnaligned(fromByteOffset: index * 8, as: Int64.self))
        throw found >= 0 && found >> FixedPoint.lowBits == 0
            ? .overflow(index: index) : .low(index: index, found: found)
    }

    /// The index of the first number that could not be added; nil where there is none.
    private static func add(
        _ otherHi: UnsafeRawBufferPointer, _ otherLo: UnsafeRawBufferPointer, _ hi: UnsafeMutableBufferPointer<Int64>,
        _ lo: UnsafeMutableBufferPointer<Int64>
    ) -> Int? {
        for index in hi.indices {
            let high = Int64(littleEndian: otherHi.loadUnaligned(fromByteOffset: index &* 8, as: Int64.self))
            let low = Int64(littleEndian: otherLo.loadUnaligned(fromByteOffset: index &* 8, as: Int64.self))
            guard low &>> FixedPoint.lowBits == 0 else { return index }
            let sum = lo[index] &+ low
            let (added, overflow) = hi[index].addingReportingOverflow(high)
            let (carried, further) = added.addingReportingOverflow(sum &>> FixedPoint.lowBits)
            guard !overflow, !further else { return index }
            hi[index] = carried
            lo[index] = sum & (1 &<< FixedPoint.lowBits &- 1)
        }
        return nil
    }

    /// Lends both planes to a kernel that adds to them, and carries what has left the range of the low plane.
    ///
    /// - Precondition: the kernel adds at most 2²³ terms to a number.
    mutating func addTerms(_ body: (UnsafeMutablePointer<Int64>, UnsafeMutablePointer<Int64>) -> Bool) -> Bool {
        hi.withUnsafeMutableBufferPointer { hi in
            lo.withUnsafeMutableBufferPointer { lo in
                guard let high = hi.baseAddress, let low = lo.baseAddress else { return true }
                guard body(high, low) else { return false }
                for index in 0..<hi.count {
                    high[index] &+= low[index] &>> FixedPoint.lowBits
                    low[index] &= 1 &<< FixedPoint.lowBits &- 1
                }
                return true
            }
        }
    }

    /// The largest |x|; 0 for no numbers.
    package var largestMagnitude: Double {
        zip(hi, lo).reduce(0) { max($0, abs(Double($1.0) * 0x1p-24 + Double($1.1) * 0x1p-64)) }
    }

    /// The planes of (rows × columns) as (columns × rows).
    package func transposed(rows: Int, columns: Int) -> FixedPointPlanes {
        precondition(rows * columns == count, "planes of another size than their shape")
        var turned = self
        turned.hi = Self.transposed(hi, rows: rows, columns: columns)
        turned.lo = Self.transposed(lo, rows: rows, columns: columns)
        return turned
    }

    /// In square tiles, so that source and target stay in the cache.
    private static func transposed(_ source: [Int64], rows: Int, columns: Int) -> [Int64] {
        let tile = 16
        return [Int64](unsafeUninitializedCapacity: source.count) { target, count in
            source.withUnsafeBufferPointer { source in
                for firstRow in stride(from: 0, to: rows, by: tile) {
                    for firstColumn in stride(from: 0, to: columns, by: tile) {
                        for column in firstColumn..<min(firstColumn + tile, columns) {
                            for row in firstRow..<min(firstRow + tile, rows) {
                                target[column &* rows &+ row] = source[row &* columns &+ column]
                            }
                        }
                    }
                }
            }
            count = source.count
        }
    }
}
