/// A column-major matrix of doubles on the heap, freed with its owner: what LAPACK works on.
///
/// A row-major matrix of rank components, one a row, is the same memory as a column-major one with a component a column.
final class DoubleMatrix {
    let rows: Int
    let columns: Int
    let base: UnsafeMutablePointer<Double>

    /// Takes rows × columns zeros.
    init(rows: Int, columns: Int) {
        // Every call into OpenBLAS in doubles works on one of these.
        OpenBLAS.singleThreaded
        let count = max(rows * columns, 1)
        self.rows = rows
        self.columns = columns
        base = .allocate(capacity: count)
        base.initialize(repeating: 0, count: count)
    }

    deinit { base.deallocate() }

    /// The distance from one column to the next, as LAPACK takes it.
    var leading: Int32 { Int32(max(rows, 1)) }

    func column(_ index: Int) -> UnsafeMutableBufferPointer<Double> {
        .init(start: base + index * rows, count: rows)
    }

    subscript(row: Int, column: Int) -> Double {
        get { base[column * rows + row] }
        set { base[column * rows + row] = newValue }
    }

    /// The leading block, with zeros where it is larger than the matrix.
    func leadingBlock(rows blockRows: Int, columns blockColumns: Int) -> DoubleMatrix {
        let block = DoubleMatrix(rows: blockRows, columns: blockColumns)
        let count = min(blockRows, rows)
        for index in 0..<min(blockColumns, columns) {
            (block.base + index * blockRows).update(from: base + index * rows, count: count)
        }
        return block
    }

    /// The entries at (order[i], order[j]).
    func permutedSymmetrically(_ order: [Int]) -> DoubleMatrix {
        let permuted = DoubleMatrix(rows: rows, columns: columns)
        for (column, sourceColumn) in order.enumerated() {
            for (row, sourceRow) in order.enumerated() { permuted[row, column] = self[sourceRow, sourceColumn] }
        }
        return permuted
    }

    /// Makes a square matrix whole of which the lower triangle is known.
    func mirrorLowerTriangle() {
        for column in 0..<columns {
            for row in 0..<column { self[row, column] = self[column, row] }
        }
    }

    func reverseColumns() {
        for index in 0..<columns / 2 {
            let (first, last) = (column(index), column(columns - 1 - index))
            for row in 0..<rows { swap(&first[row], &last[row]) }
        }
    }

    /// The largest entry of a Gram matrix's diagonal.
    /// - Throws: `notFinite` where the diagonal says that the factor is not.
    func largestOnDiagonal() throws(DecompositionError) -> Double {
        var largest = 0.0
        for index in 0..<columns {
            let entry = self[index, index]
            guard entry.isFinite else { throw .notFinite }
            largest = max(largest, entry)
        }
        return largest
    }

    /// The entries as floats, column by column.
    /// - Throws: where a float cannot hold one.
    func floats() throws(DecompositionError) -> [Float] {
        let entries = UnsafeBufferPointer(start: base, count: rows * columns)
        let floats = entries.map { Float($0) }
        guard floats.allSatisfy(\.isFinite) else {
            throw entries.allSatisfy(\.isFinite) ? .beyondFloat : .notFinite
        }
        return floats
    }
}
