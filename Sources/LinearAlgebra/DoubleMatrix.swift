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

    func copy() -> DoubleMatrix {
        let copy = DoubleMatrix(rows: rows, columns: columns)
        copy.base.update(from: base, count: rows * columns)
        return copy
    }

    /// Makes a square matrix of which the lower triangle is known whole.
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
}
