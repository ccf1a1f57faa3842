import CVectors

/// Adds Σ_k c_k·X_k to the first rows and columns of sums in fixed point.
///
/// A term c_k·x is rounded to float64 and then once to a multiple of 2⁻⁶⁴; the rest is integer addition. So the sums are
/// the same for any order of the terms, any blocking and any width of vectors. The terms are read once.
///
/// - Parameters:
///   - terms: X_k (rows_k × columns_k) with its c_k; at most 2²³.
///   - columns: those of the sums, and the most that a term has.
///   - limit: at most 2³⁸ divided by the number of all terms that are ever added, and at least 2⁻²⁴.
///   - vectors: a width that this processor has.
/// - Returns: false where a |c_k·x| is not below `limit`; the sums are then spoilt.
package func accumulateExactly(
    _ terms: [ExactTerm], columns: Int, limit: Double, into sums: inout FixedPointPlanes,
    vectors: VectorWidth = .widest
) -> Bool {
    guard columns > 0, sums.count > 0 else { return true }
    precondition(terms.count <= 1 << 23 && limit <= FixedPoint.limit && limit >= 0x1p-24, "an exact sum without bounds")
    let rows = sums.count / columns
    for term in terms {
        precondition(term.rows <= rows && term.columns <= columns, "a term larger than its sum")
    }
    let kernel = ExactKernel(limit: limit, vectors: vectors)
    let rowStep = max(1, numbersFetched / columns)
    let columnStep = min(numbersFetched, columns)
    return sums.addTerms { high, low in
        var isWithin = true
        let part = terms.reduce(0) {
            $1.fetch == nil ? $0 : max($0, $1.storage.byteCount(rows: rowStep, columns: columnStep))
        }
        ScratchMemory.with(byteCount: part * termsTogether) { scratch in
            for firstRow in stride(from: 0, to: rows, by: rowStep) {
                for firstColumn in stride(from: 0, to: columns, by: columnStep) {
                    let block = ExactBlock(
                        rows: firstRow..<min(firstRow + rowStep, rows),
                        columns: firstColumn..<min(firstColumn + columnStep, columns), width: columns)
                    for first in stride(from: 0, to: terms.count, by: termsTogether) where isWithin {
                        isWithin = block.add(
                            terms[first..<min(first + termsTogether, terms.count)], scratch, partSize: part, kernel,
                            high, low)
                    }
                }
            }
        }
        return isWithin
    }
}

/// The numbers of a term that are fetched at once.
private let numbersFetched = 16_384
/// The sums that stay in the first-level cache while terms are added: 16 KiB of both planes.
private let sumsInCache = 1024

/// A part of the sums: whole rows, or a part of one.
private struct ExactBlock {
    let rows: Range<Int>
    let columns: Range<Int>
    /// The row length of the whole sum.
    let width: Int

    /// A term's part, as far as it reaches into the block.
    private struct Part {
        let term: ExactTerm
        let start: UnsafeRawPointer
        let rows: Int
        let columns: Int
        /// The bytes of a row.
        let stride: Int
    }

    func add(
        _ terms: ArraySlice<ExactTerm>, _ scratch: UnsafeMutableRawBufferPointer, partSize: Int, _ kernel: ExactKernel,
        _ high: UnsafeMutablePointer<Int64>, _ low: UnsafeMutablePointer<Int64>
    ) -> Bool {
        var parts: [Part] = []
        parts.reserveCapacity(terms.count)
        for term in terms {
            let place = UnsafeMutableRawBufferPointer(rebasing: scratch[(parts.count * partSize)...].prefix(partSize))
            if let part = part(of: term, place) { parts.append(part) }
        }
        let rowStep = max(1, sumsInCache / columns.count)
        let columnStep = min(sumsInCache, columns.count)
        for firstRow in stride(from: 0, to: rows.count, by: rowStep) {
            for firstColumn in stride(from: 0, to: columns.count, by: columnStep) {
                let place = (rows.lowerBound + firstRow) * width + columns.lowerBound + firstColumn
                for part in parts where part.rows > firstRow && part.columns > firstColumn {
                    let shared = (
                        rows: min(rowStep, part.rows - firstRow), columns: min(columnStep, part.columns - firstColumn)
                    )
                    let numbers = ExactKernel.Numbers(
                        start: part.start + firstRow * part.stride
                            + part.term.storage.byteCount(rows: 1, columns: firstColumn),
                        stride: part.stride, storage: part.term.storage, channels: part.term.channels,
                        firstRow: rows.lowerBound + firstRow, rows: shared.rows, columns: shared.columns,
                        factor: part.term.factor)
                    guard kernel.add(numbers, high + place, low + place, width: width) else { return false }
                }
            }
        }
        return true
    }

    /// Nil where the term does not reach into the block.
    private func part(of term: ExactTerm, _ scratch: UnsafeMutableRawBufferPointer) -> Part? {
        let held = (
            rows: min(rows.upperBound, term.rows) - rows.lowerBound,
            columns: min(columns.upperBound, term.columns) - columns.lowerBound
        )
        guard held.rows > 0, held.columns > 0, let start = term.bytes.baseAddress else { return nil }
        let rowBytes = term.storage.byteCount(rows: 1, columns: term.columns)
        let offset = rows.lowerBound * rowBytes + term.storage.byteCount(rows: 1, columns: columns.lowerBound)
        guard let fetch = term.fetch else {
            return Part(
                term: term, start: start + offset, rows: held.rows, columns: held.columns, stride: rowBytes)
        }
        // Whole rows, or a part of one row.
        let count = (held.rows - 1) * rowBytes + term.storage.byteCount(rows: 1, columns: held.columns)
        let target = UnsafeMutableRawBufferPointer(rebasing: scratch[..<count])
        fetch(offset, target)
        return target.baseAddress.map {
            Part(term: term, start: UnsafeRawPointer($0), rows: held.rows, columns: held.columns, stride: rowBytes)
        }
    }
}

/// Adds blocks of terms within a limit.
private struct ExactKernel {
    /// A block of one term.
    struct Numbers {
        let start: UnsafeRawPointer
        /// The bytes from row to row.
        let stride: Int
        let storage: StoredReal
        let channels: WeightedMatrix.Channels?
        /// The first row's place in the term.
        let firstRow: Int
        let rows: Int
        let columns: Int
        let factor: Double
    }

    /// In units of 2⁻²⁴, like terms.
    private let limit: Double
    /// Terms within ±2^bits need no check of their own.
    private let bits: Int
    private let vectors: VectorWidth

    init(limit: Double, vectors: VectorWidth) {
        self.limit = limit * 0x1p24
        bits = min(50, Int(self.limit.exponent))
        self.vectors = vectors
    }

    /// False where a term is not within the limit.
    func add(
        _ numbers: Numbers, _ high: UnsafeMutablePointer<Int64>, _ low: UnsafeMutablePointer<Int64>, width: Int
    ) -> Bool {
        if let wide = numbers.storage.wide(vectors) {
            return vectors_add_exactly(
                wide, high, low, width, numbers.start, numbers.stride, numbers.rows, numbers.columns,
                numbers.factor * 0x1p24, limit, Int32(bits))
        }
        return switch numbers.storage {
        case .float64: addRows(Float64Load.self, numbers, high, low, width)
        case .float32: addRows(Float32Load.self, numbers, high, low, width)
        case .float16: addRows(Float16Load.self, numbers, high, low, width)
        case .bfloat16: addRows(BFloat16Load.self, numbers, high, low, width)
        case .quantised8: addRows(Quantised8Load.self, numbers, high, low, width)
        case .quantised4: addRows(Quantised4Load.self, numbers, high, low, width)
        }
    }

    @inline(__always)
    private func addRows<Load: StoredRealLoad>(
        _ load: Load.Type, _ numbers: Numbers, _ high: UnsafeMutablePointer<Int64>, _ low: UnsafeMutablePointer<Int64>,
        _ width: Int
    ) -> Bool {
        for row in 0..<numbers.rows {
            let isWithin = addRow(
                load, numbers.start + row &* numbers.stride, numbers.channels?[numbers.firstRow + row] ?? .none,
                numbers.columns, numbers.factor * 0x1p24, high + row &* width, low + row &* width)
            guard isWithin else { return false }
        }
        return true
    }

    /// Adding 1.5·2⁵² leaves a number's nearest integer in the low bits, for numbers below 2⁵¹.
    private static let magic = 0x1.8p52

    @inline(__always)
    private func addRow<Load: StoredRealLoad>(
        _: Load.Type, _ numbers: UnsafeRawPointer, _ channel: Channel, _ count: Int, _ factor: Double,
        _ high: UnsafeMutablePointer<Int64>, _ low: UnsafeMutablePointer<Int64>
    ) -> Bool {
        let magic = Self.magic
        let magicBits = Int64(bitPattern: magic.bitPattern)
        let window = magicBits &- 1 &<< Int64(bits)
        let outside = Int64(bits + 1)
        let (highBytes, lowBytes) = (UnsafeMutableRawPointer(high), UnsafeMutableRawPointer(low))
        var column = 0
        while column &+ 4 <= count {
            let term = SIMD4<Double>(Load.load4(numbers, column, channel)) * factor
            let shifted = term + magic
            let fine = (term - (shifted - magic)) * 0x1p40 + magic
            let whole = unsafeBitCast(shifted, to: SIMD4<Int64>.self)
            let distance = whole &- window
            if (distance[0] | distance[1] | distance[2] | distance[3]) &>> outside != 0 {
                for lane in 0..<4 {
                    guard add(term[lane], column &+ lane, high, low) else { return false }
                }
            } else {
                let rest = unsafeBitCast(fine, to: SIMD4<Int64>.self)
                let sum = highBytes.loadUnaligned(fromByteOffset: column &* 8, as: SIMD4<Int64>.self)
                let lowSum = lowBytes.loadUnaligned(fromByteOffset: column &* 8, as: SIMD4<Int64>.self)
                highBytes.storeBytes(
                    of: sum &+ (whole &- magicBits), toByteOffset: column &* 8, as: SIMD4<Int64>.self)
                lowBytes.storeBytes(
                    of: lowSum &+ (rest &- magicBits), toByteOffset: column &* 8, as: SIMD4<Int64>.self)
            }
            column &+= 4
        }
        while column < count {
            guard add(Double(Load.load(numbers, column, channel)) * factor, column, high, low) else { return false }
            column &+= 1
        }
        return true
    }

    @inline(__always)
    private func add(
        _ term: Double, _ column: Int, _ high: UnsafeMutablePointer<Int64>, _ low: UnsafeMutablePointer<Int64>
    ) -> Bool {
        guard let (whole, rest) = FixedPoint.split(term, within: limit) else { return false }
        high[column] &+= whole
        low[column] &+= rest
        return true
    }
}
