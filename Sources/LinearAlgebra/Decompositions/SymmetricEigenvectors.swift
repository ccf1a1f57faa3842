import COpenBLAS

/// The eigenvectors of a symmetric matrix for its largest eigenvalues, in descending order.
///
/// Reduces the matrix to tridiagonal form and calls LAPACK's multiple relatively robust representations, which find a
/// few vectors without the others. If these fail, it uses divide and conquer, which finds all.
struct SymmetricEigenvectors {
    /// The eigenvalues, descending.
    let values: [Double]
    /// Orthonormal, one vector a column.
    let vectors: DoubleMatrix

    /// O(n³). Overwrites the matrix.
    /// - Parameter matrix: (n × n), of which only the lower triangle is read; `count` is from 1 to n.
    init(consuming matrix: DoubleMatrix, count: Int) throws(DecompositionError) {
        let size = matrix.rows
        var tridiagonal = Tridiagonal(
            diagonal: Array(repeating: 0, count: size), offDiagonal: Array(repeating: 0, count: size))
        var reflectors = [Double](repeating: 0, count: size)
        try LAPACK.withWorkspace("dsytrd") { work, length in
            LAPACKE_dsytrd_work(
                LAPACK_COL_MAJOR, LAPACK.letter("L"), Int32(size), matrix.base, matrix.leading,
                &tridiagonal.diagonal, &tridiagonal.offDiagonal, &reflectors, work, length)
        }
        var found: (values: [Double], vectors: DoubleMatrix)
        do throws(DecompositionError) {
            found = try tridiagonal.largest(count)
        } catch {
            found = try tridiagonal.largestByDivideAndConquer(count)
        }
        try LAPACK.withWorkspace("dormtr") { work, length in
            LAPACKE_dormtr_work(
                LAPACK_COL_MAJOR, LAPACK.letter("L"), LAPACK.letter("L"), LAPACK.letter("N"),
                Int32(size), Int32(count), matrix.base, matrix.leading, reflectors, found.vectors.base,
                found.vectors.leading, work, length)
        }
        (values, vectors) = found
    }
}
