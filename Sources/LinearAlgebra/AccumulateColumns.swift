/// Adds Σ_k X_k·diag(c_k) to the first columns of `target`.
///
/// Order, precision and cost are those of `accumulateRows`.
///
/// - Parameters:
///   - terms: X_k (rows × columns_k) with its c_k (columns_k).
///   - target: (rows × columns), no term having more columns.
package func accumulateColumns(
    _ terms: [WeightedMatrix], columns: Int, into target: UnsafeMutableBufferPointer<Float>
) {
    guard columns > 0, let base = target.baseAddress else { return }
    let rows = target.count / columns
    for term in terms {
        precondition(term.coefficients.count <= columns, "a term with more columns than its sum")
        term.check(rows: rows, columns: term.coefficients.count)
    }
    let terms = terms.filter { !$0.coefficients.isEmpty }
    let rowStep = max(1, sumsInHand / columns)
    TermRoom.with(terms, rows: rowStep, columns: columns) { room in
        for firstRow in stride(from: 0, to: rows, by: rowStep) {
            let block = firstRow..<min(firstRow + rowStep, rows)
            for first in stride(from: 0, to: terms.count, by: termsTogether) {
                let together = terms[first..<min(first + termsTogether, terms.count)]
                WeightedColumns.with(together, block, room) {
                    WeightedColumns.add($0, block.count, to: base + firstRow * columns, stride: columns)
                }
            }
        }
    }
}

/// Some rows of a term, with its factors at a fixed address.
private struct WeightedColumns {
    let start: UnsafeRawPointer
    let storage: StoredReal
    /// From the first of the rows on.
    let channels: WeightedMatrix.Channels?
    let factors: UnsafeRawPointer
    let count: Int

    /// Lays out some rows of the terms.
    static func with(
        _ terms: ArraySlice<WeightedMatrix>, _ rows: Range<Int>, _ room: TermRoom,
        _ body: (UnsafeBufferPointer<WeightedColumns>) -> Void
    ) {
        let factorCount = terms.reduce(0) { $0 + $1.coefficients.count }
        withUnsafeTemporaryAllocation(of: Float.self, capacity: factorCount) { factors in
            withUnsafeTemporaryAllocation(of: WeightedColumns.self, capacity: terms.count) { parts in
                var used = 0
                for (place, term) in terms.enumerated() {
                    let width = term.coefficients.count
                    let start = room.part(
                        of: term, at: term.storage.byteCount(rows: rows.lowerBound, columns: width),
                        count: term.storage.byteCount(rows: rows.count, columns: width), place: place)
                    let own = UnsafeMutableBufferPointer(rebasing: factors[used..<used + width])
                    _ = own.initialize(from: term.coefficients)
                    used += width
                    guard let start, let own = own.baseAddress else { return }
                    parts.initializeElement(
                        at: place,
                        to: WeightedColumns(
                            start: start, storage: term.storage, channels: term.channels?.dropFirst(rows.lowerBound),
                            factors: UnsafeRawPointer(own), count: width))
                }
                body(UnsafeBufferPointer(parts))
            }
        }
    }

    /// Adds all terms to as many rows, several at a time where they are stored alike.
    static func add(
        _ terms: UnsafeBufferPointer<WeightedColumns>, _ rows: Int, to sums: UnsafeMutablePointer<Float>, stride: Int
    ) {
        var next = 0
        while next < terms.count {
            let storage = terms[next].storage
            var end = next + 1
            while end < terms.count, terms[end].storage == storage { end += 1 }
            let run = UnsafeBufferPointer(rebasing: terms[next..<end])
            switch storage {
            case .float64: addRun(Float64Load.self, run, rows, sums, stride)
            case .float32: addRun(Float32Load.self, run, rows, sums, stride)
            case .float16: addRun(Float16Load.self, run, rows, sums, stride)
            case .bfloat16: addRun(BFloat16Load.self, run, rows, sums, stride)
            case .quantised8: addRun(Quantised8Load.self, run, rows, sums, stride)
            case .quantised4: addRun(Quantised4Load.self, run, rows, sums, stride)
            }
            next = end
        }
    }

    @inline(__always)
    private static func addRun<Load: StoredRealLoad>(
        _ load: Load.Type, _ terms: UnsafeBufferPointer<WeightedColumns>, _ rows: Int,
        _ sums: UnsafeMutablePointer<Float>, _ stride: Int
    ) {
        for row in 0..<rows {
            for term in terms {
                let start = term.start + row * Load.byteCount(columns: term.count)
                addRow(load, start, term.channels?[row] ?? .none, term.factors, term.count, sums + row * stride)
            }
        }
    }

    @inline(__always)
    private static func addRow<Load: StoredRealLoad>(
        _: Load.Type, _ values: UnsafeRawPointer, _ channel: Channel, _ factors: UnsafeRawPointer, _ count: Int,
        _ sums: UnsafeMutablePointer<Float>
    ) {
        let target = UnsafeMutableRawPointer(sums)
        @inline(__always) func addFour(_ column: Int) {
            let sum = target.loadUnaligned(fromByteOffset: column * 4, as: SIMD4<Float>.self)
            let factor = factors.loadUnaligned(fromByteOffset: column * 4, as: SIMD4<Float>.self)
            let value = Load.load4(values, column, channel)
            target.storeBytes(of: sum + value * factor, toByteOffset: column * 4, as: SIMD4<Float>.self)
        }
        var column = 0
        while column + 16 <= count {
            addFour(column)
            addFour(column + 4)
            addFour(column + 8)
            addFour(column + 12)
            column += 16
        }
        while column + 4 <= count {
            addFour(column)
            column += 4
        }
        while column < count {
            let factor = factors.load(fromByteOffset: column * 4, as: Float.self)
            sums[column] += Load.load(values, column, channel) * factor
            column += 1
        }
    }
}

extension WeightedMatrix.Channels {
    fileprivate func dropFirst(_ rows: Int) -> WeightedMatrix.Channels {
        WeightedMatrix.Channels(
            scales: UnsafeRawBufferPointer(rebasing: scales[(rows * 4)...]),
            minima: UnsafeRawBufferPointer(rebasing: minima[(rows * 4)...]))
    }
}
