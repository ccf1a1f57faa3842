/// A column-major matrix of doubles on the heap, for LAPACK; it frees its memory.
///
/// A row-major matrix with one component a row has the same memory as a column-major one with one component a column.
final class DoubleMatrix {
    let rows: Int
    let columns: Int
    let base: UnsafeMutablePointer<Double>

    /// Allocates rows × columns zeros.
    init(rows: Int, columns: Int) {
        // Every call into OpenBLAS in doubles uses one of these matrices.
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

    /// The leading block, filled with zeros where it is larger than the matrix.
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

    /// Copies the lower triangle of a square matrix into the upper one.
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
    /// - Throws: `notFinite` where the diagonal shows that the factor is not finite.
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
    /// - Throws: `beyondFloat` where a Float cannot hold an entry.
    func floats() throws(DecompositionError) -> [Float] {
        let entries = UnsafeBufferPointer(start: base, count: rows * columns)
        let floats = entries.map { Float($0) }
        guard floats.allSatisfy(\.isFinite) else {
            throw entries.allSatisfy(\.isFinite) ? .beyondFloat : .notFinite
        }
        return floats
    }
}
