import LinearAlgebra

/// A frozen matrix whose rows are widened to floats when they are used, such as a quantised one in a model's file.
package protocol RowReader: Sendable {
    var rows: Int { get }
    var columns: Int { get }

    /// Writes rows.count × columns floats to `target`, row after row.
    ///
    /// - Precondition: the matrix has these rows.
    func read(rows: Range<Int>, into target: UnsafeMutablePointer<Float>)
}

/// Rows of W + Σ B·A: low-rank products beside a matrix that stays as it is stored. They are added when rows are widened.
struct MergedRows: RowReader {
    /// One product: A (rank × columns), and B transposed (rank × rows).
    struct Branch: Sendable {
        let a: FrozenTensor
        let b: FrozenTensor
    }

    let base: any RowReader
    let branches: [Branch]

    var rows: Int { base.rows }
    var columns: Int { base.columns }

    func read(rows: Range<Int>, into target: UnsafeMutablePointer<Float>) {
        base.read(rows: rows, into: target)
        let sum = MutableMatrixView(
            UnsafeMutableBufferPointer(start: target, count: rows.count * columns), rows: rows.count, columns: columns)
        for branch in branches {
            MatrixProduct.accumulate(
                into: sum, keep: 1, branch.b.matrix.block(0..<branch.b.shape[0], rows), .transposed, branch.a.matrix,
                .asGiven)
        }
    }
}

extension FrozenTensor: RowReader {
    package var rows: Int { shape[0] }
    package var columns: Int { matrix.columns }

    package func read(rows: Range<Int>, into target: UnsafeMutablePointer<Float>) {
        precondition(rows.lowerBound >= 0 && rows.upperBound <= shape[0], "rows \(rows) of \(shape[0])")
        let columns = matrix.columns
        target.update(from: matrix.base + rows.lowerBound * columns, count: rows.count * columns)
    }
}
