import CVectors

/// Adds Σ_k X_k·diag(c_k) to the first columns of `target`.
///
/// Order, precision and cost are those of `accumulateRows`.
///
/// - Parameters:
///   - terms: X_k (rows × columns_k) with its c_k (columns_k).
///   - target: (rows × columns); no term has more columns than it.
///   - vectors: a width that this processor has.
package func accumulateColumns(
    _ terms: [WeightedMatrix], columns: Int, into target: UnsafeMutableBufferPointer<Float>,
    vectors: VectorWidth = .widest
) {
    guard columns > 0, let base = target.baseAddress else { return }
    let rows = target.count / columns
    for term in terms {
        precondition(term.coefficients.count <= columns, "a term with more columns than its sum")
        term.check(rows: rows, columns: term.coefficients.count)
    }
    let sumsInHand = sumsInHand(terms)
    let rowStep = max(1, sumsInHand / columns)
    TermTable.with(terms, rows: rowStep, columns: columns) { table in
        for firstRow in stride(from: 0, to: rows, by: rowStep) {
            for first in stride(from: 0, to: table.list.count, by: termsTogether) {
                let together = table.list[first..<min(first + termsTogether, table.list.count)]
                ColumnBlock(rows: firstRow..<min(firstRow + rowStep, rows), width: columns, vectors: vectors)
                    .add(UnsafeBufferPointer(rebasing: together), table, to: base)
            }
        }
    }
}

/// Some rows of the sum.
private struct ColumnBlock {
    let rows: Range<Int>
    /// The row length of the whole sum.
    let width: Int
    let vectors: VectorWidth

    /// Adds all terms, several at a time where they have the same storage.
    func add(
        _ terms: UnsafeBufferPointer<TermTable.Term>, _ table: TermTable, to sums: UnsafeMutablePointer<Float>
    ) {
        withUnsafeTemporaryAllocation(of: TermTable.Term.self, capacity: termsTogether) { parts in
            for (place, term) in terms.enumerated() {
                var part = term
                part.start = table.part(
                    of: term, at: term.storage.byteCount(rows: rows.lowerBound, columns: term.count),
                    count: term.storage.byteCount(rows: rows.count, columns: term.count), place: place)
                parts.initializeElement(at: place, to: part)
            }
            let parts = UnsafeBufferPointer(rebasing: parts[..<terms.count])
            var next = 0
            while next < parts.count {
                let storage = parts[next].storage
                var end = next + 1
                while end < parts.count, parts[end].storage == storage { end += 1 }
                let run = UnsafeBufferPointer(rebasing: parts[next..<end])
                next = end
                if let wide = storage.wide(vectors) {
                    addWide(wide, run, sums)
                    continue
                }
                switch storage {
                case .float64: addRun(Float64Load.self, run, sums)
                case .float32: addRun(Float32Load.self, run, sums)
                case .float16: addRun(Float16Load.self, run, sums)
                case .bfloat16: addRun(BFloat16Load.self, run, sums)
                case .quantised8: addRun(Quantised8Load.self, run, sums)
                case .quantised4: addRun(Quantised4Load.self, run, sums)
                }
            }
        }
    }

    private func addWide(
        _ storage: vectors_storage, _ terms: UnsafeBufferPointer<TermTable.Term>, _ sums: UnsafeMutablePointer<Float>
    ) {
        withUnsafeTemporaryAllocation(of: vectors_matrix.self, capacity: terms.count) { matrices in
            for (place, term) in terms.enumerated() {
                matrices.initializeElement(
                    at: place, to: vectors_matrix(start: term.start, factors: term.factors, columns: term.count))
            }
            vectors_add_columns(
                storage, sums + rows.lowerBound * width, rows.count, width, matrices.baseAddress, matrices.count)
        }
    }

    @inline(__always)
    private func addRun<Load: StoredRealLoad>(
        _ load: Load.Type, _ terms: UnsafeBufferPointer<TermTable.Term>, _ sums: UnsafeMutablePointer<Float>
    ) {
        for row in rows {
            let target = sums + row &* width
            for term in terms {
                let start = term.start + (row &- rows.lowerBound) &* Load.byteCount(columns: term.count)
                Self.addRow(load, start, term.channels?[row] ?? .none, term.factors, term.count, target)
            }
        }
    }

    @inline(__always)
    private static func addRow<Load: StoredRealLoad>(
        _: Load.Type, _ values: UnsafeRawPointer, _ channel: Channel, _ factors: UnsafePointer<Float>, _ count: Int,
        _ sums: UnsafeMutablePointer<Float>
    ) {
        let target = UnsafeMutableRawPointer(sums)
        let weights = UnsafeRawPointer(factors)
        @inline(__always) func addFour(_ column: Int) {
            let sum = target.loadUnaligned(fromByteOffset: column &* 4, as: SIMD4<Float>.self)
            let factor = weights.loadUnaligned(fromByteOffset: column &* 4, as: SIMD4<Float>.self)
            let value = Load.load4(values, column, channel)
            target.storeBytes(of: sum + value * factor, toByteOffset: column &* 4, as: SIMD4<Float>.self)
        }
        var column = 0
        while column &+ 16 <= count {
            addFour(column)
            addFour(column &+ 4)
            addFour(column &+ 8)
            addFour(column &+ 12)
            column &+= 16
        }
        while column &+ 4 <= count {
            addFour(column)
            column &+= 4
        }
        while column < count {
            sums[column] += Load.load(values, column, channel) * factors[column]
            column &+= 1
        }
    }
}
