import COpenBLAS

extension DoubleMatrix {
    /// Replaces this positive semidefinite matrix by its pivoted Cholesky factor C, lower triangular with zeros above.
    ///
    /// It stops where the rest is rounding; the remaining columns are zero.
    /// - Returns: the number of nonzero columns, and the original index of each row of C.
    func factorizeCholesky() throws(DecompositionError) -> (rank: Int, order: [Int]) {
        var (pivots, rank) = ([Int32](repeating: 0, count: rows), Int32(0))
        var work = [Double](repeating: 0, count: 2 * rows)
        let code = LAPACKE_dpstrf_work(
            LAPACK_COL_MAJOR, LAPACK.letter("L"), leading, base, leading, &pivots, &rank, -1, &work)
        // 1 means that the matrix is only semidefinite.
        try LAPACK.check("dpstrf", code == 1 ? 0 : code)
        for index in 0..<columns {
            column(index).prefix(index < rank ? index : rows).update(repeating: 0)
        }
        return (Int(rank), pivots.map { Int($0) - 1 })
    }

    /// Replaces the columns by orthonormal ones with the same span, each computed from the columns up to its own.
    /// - Precondition: there are no more columns than rows.
    func orthonormalizeColumns() throws(DecompositionError) {
        var reflectors = [Double](repeating: 0, count: columns)
        let (m, n) = (Int32(rows), Int32(columns))
        try LAPACK.withWorkspace("dgeqrf") { work, length in
            LAPACKE_dgeqrf_work(LAPACK_COL_MAJOR, m, n, base, leading, &reflectors, work, length)
        }
        try LAPACK.withWorkspace("dorgqr") { work, length in
            LAPACKE_dorgqr_work(LAPACK_COL_MAJOR, m, n, n, base, leading, reflectors, work, length)
        }
    }

    /// The singular value decomposition U·Σ·Wᵀ: replaces the columns by U's and returns Σ (descending) and Wᵀ.
    /// - Precondition: there are no more columns than rows.
    func decomposeInPlace() throws(DecompositionError) -> (values: [Double], transposedRight: DoubleMatrix) {
        var values = [Double](repeating: 0, count: columns)
        let transposedRight = DoubleMatrix(rows: columns, columns: columns)
        var indices = [Int32](repeating: 0, count: 8 * columns)
        try LAPACK.withWorkspace("dgesdd") { work, length in
            LAPACKE_dgesdd_work(
                LAPACK_COL_MAJOR, LAPACK.letter("O"), Int32(rows), Int32(columns), base, leading, &values, nil, leading,
                transposedRight.base, transposedRight.leading, work, length, &indices)
        }
        return (values, transposedRight)
    }
}
