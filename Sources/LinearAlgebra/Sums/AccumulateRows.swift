import CVectors

/// Adds Σ_k diag(c_k)·X_k to the first rows of `target`.
///
/// Every element is added in the order of the terms, in float32, so the result does not depend on the blocking. The
/// terms are read once. Allocates a copy of the coefficients. For fetched terms it also allocates eight parts of 65,536
/// numbers, or of 131,072 narrow ones.
///
/// - Parameters:
///   - terms: X_k (rows_k × columns) with its c_k (rows_k).
///   - target: (rows × columns); no term has more rows.
///   - vectors: a width that this processor has.
package func accumulateRows(
    _ terms: [WeightedMatrix], columns: Int, into target: UnsafeMutableBufferPointer<Float>,
    vectors: VectorWidth = .widest
) {
    guard columns > 0, let base = target.baseAddress else { return }
    let rows = target.count / columns
    for term in terms {
        precondition(term.coefficients.count <= rows, "a term with more rows than its sum")
        term.check(rows: term.coefficients.count, columns: columns)
    }
    let sumsInHand = sumsInHand(terms)
    let rowStep = max(1, sumsInHand / columns)
    let columnStep = min(sumsInHand, columns)
    TermTable.with(terms, rows: rowStep, columns: columnStep) { table in
        for firstRow in stride(from: 0, to: rows, by: rowStep) {
            for firstColumn in stride(from: 0, to: columns, by: columnStep) {
                RowBlock(
                    rows: firstRow..<min(firstRow + rowStep, rows),
                    columns: firstColumn..<min(firstColumn + columnStep, columns), width: columns, vectors: vectors
                ).add(table, to: base)
            }
        }
    }
}

/// A part of the sum: whole rows, or a part of one.
private struct RowBlock {
    let rows: Range<Int>
    let columns: Range<Int>
    /// The row length of the whole sum.
    let width: Int
    let vectors: VectorWidth

    func add(_ table: TermTable, to sums: UnsafeMutablePointer<Float>) {
        withUnsafeTemporaryAllocation(of: TermTable.Term.self, capacity: termsTogether) { together in
            var count = 0
            for term in table.list where rows.lowerBound < term.count {
                together.initializeElement(at: count, to: part(of: term, table, place: count))
                count += 1
                if count == termsTogether {
                    add(UnsafeBufferPointer(together), to: sums)
                    count = 0
                }
            }
            add(UnsafeBufferPointer(rebasing: together[..<count]), to: sums)
        }
    }

    private func part(of term: TermTable.Term, _ table: TermTable, place: Int) -> TermTable.Term {
        let offset =
            term.storage.byteCount(rows: rows.lowerBound, columns: width)
            + term.storage.byteCount(rows: 1, columns: columns.lowerBound)
        let held = min(rows.upperBound, term.count) - rows.lowerBound
        let size = term.storage.byteCount(rows: held, columns: columns.count)
        var part = term
        part.start = table.part(of: term, at: offset, count: size, place: place)
        return part
    }

    private func add(_ parts: UnsafeBufferPointer<TermTable.Term>, to sums: UnsafeMutablePointer<Float>) {
        withUnsafeTemporaryAllocation(of: WeightedRow.self, capacity: termsTogether) { present in
            for row in rows {
                var count = 0
                for part in parts where row < part.count {
                    let skipped = part.storage.byteCount(rows: row - rows.lowerBound, columns: columns.count)
                    present.initializeElement(
                        at: count,
                        to: WeightedRow(
                            start: part.start + skipped, storage: part.storage, channel: part.channels?[row] ?? .none,
                            factor: part.factors[row]))
                    count += 1
                }
                WeightedRow.add(
                    UnsafeBufferPointer(rebasing: present[..<count]), columns.count,
                    to: sums + row * width + columns.lowerBound, vectors)
            }
        }
    }
}

/// One row of a term, or a part of it.
private struct WeightedRow {
    let start: UnsafeRawPointer
    let storage: StoredReal
    let channel: Channel
    let factor: Float

    /// Adds all rows, together where they have the same storage. The sums are then loaded and stored once for several
    /// rows.
    static func add(
        _ rows: UnsafeBufferPointer<WeightedRow>, _ count: Int, to sums: UnsafeMutablePointer<Float>,
        _ vectors: VectorWidth
    ) {
        var next = 0
        while next < rows.count {
            let storage = rows[next].storage
            let wide = storage.wide(vectors)
            var end = next + 1
            while end < (wide == nil ? min(next + 4, rows.count) : rows.count), rows[end].storage == storage {
                end += 1
            }
            let run = UnsafeBufferPointer(rebasing: rows[next..<end])
            next = end
            if let wide {
                addWide(wide, run, count, sums)
                continue
            }
            switch storage {
            case .float64: addRun(Float64Load.self, run, count, sums)
            case .float32: addRun(Float32Load.self, run, count, sums)
            case .float16: addRun(Float16Load.self, run, count, sums)
            case .bfloat16: addRun(BFloat16Load.self, run, count, sums)
            case .quantised8: addRun(Quantised8Load.self, run, count, sums)
            case .quantised4: addRun(Quantised4Load.self, run, count, sums)
            }
        }
    }

    private static func addWide(
        _ storage: vectors_storage, _ rows: UnsafeBufferPointer<WeightedRow>, _ count: Int,
        _ sums: UnsafeMutablePointer<Float>
    ) {
        withUnsafeTemporaryAllocation(of: vectors_row.self, capacity: rows.count) { list in
            for (place, row) in rows.enumerated() {
                list.initializeElement(at: place, to: vectors_row(start: row.start, factor: row.factor))
            }
            vectors_add_rows(storage, sums, list.baseAddress, list.count, count)
        }
    }

    @inline(__always)
    private static func addRun<Load: StoredRealLoad>(
        _ load: Load.Type, _ rows: UnsafeBufferPointer<WeightedRow>, _ count: Int, _ sums: UnsafeMutablePointer<Float>
    ) {
        if rows.count == 4 {
            addFour(load, rows[0], rows[1], rows[2], rows[3], count, sums)
        } else {
            for row in rows { addOne(load, row, count, sums) }
        }
    }

    @inline(__always)
    private static func addFour<Load: StoredRealLoad>(
        _: Load.Type, _ row0: WeightedRow, _ row1: WeightedRow, _ row2: WeightedRow, _ row3: WeightedRow,
        _ count: Int, _ sums: UnsafeMutablePointer<Float>
    ) {
        let target = UnsafeMutableRawPointer(sums)
        var column = 0
        while column &+ 4 <= count {
            var sum = target.loadUnaligned(fromByteOffset: column &* 4, as: SIMD4<Float>.self)
            sum += Load.load4(row0.start, column, row0.channel) * row0.factor
            sum += Load.load4(row1.start, column, row1.channel) * row1.factor
            sum += Load.load4(row2.start, column, row2.channel) * row2.factor
            sum += Load.load4(row3.start, column, row3.channel) * row3.factor
            target.storeBytes(of: sum, toByteOffset: column &* 4, as: SIMD4<Float>.self)
            column &+= 4
        }
        while column < count {
            var sum = sums[column]
            sum += Load.load(row0.start, column, row0.channel) * row0.factor
            sum += Load.load(row1.start, column, row1.channel) * row1.factor
            sum += Load.load(row2.start, column, row2.channel) * row2.factor
            sum += Load.load(row3.start, column, row3.channel) * row3.factor
            sums[column] = sum
            column &+= 1
        }
    }

    @inline(__always)
    private static func addOne<Load: StoredRealLoad>(
        _: Load.Type, _ row: WeightedRow, _ count: Int, _ sums: UnsafeMutablePointer<Float>
    ) {
        let target = UnsafeMutableRawPointer(sums)
        var column = 0
        while column &+ 4 <= count {
            var sum = target.loadUnaligned(fromByteOffset: column &* 4, as: SIMD4<Float>.self)
            sum += Load.load4(row.start, column, row.channel) * row.factor
            target.storeBytes(of: sum, toByteOffset: column &* 4, as: SIMD4<Float>.self)
            column &+= 4
        }
        while column < count {
            sums[column] += Load.load(row.start, column, row.channel) * row.factor
            column &+= 1
        }
    }
}
