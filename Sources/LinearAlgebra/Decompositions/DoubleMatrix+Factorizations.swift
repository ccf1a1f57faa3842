import COpenBLAS

extension DoubleMatrix {
    /// Replaces a positive semidefinite matrix by its pivoted Cholesky factor C, lower and zero above.
    ///
    /// It stops where what is left is rounding; the columns from there on are zero.
    /// - Returns: the number of columns that are not, and where each row of C was in the matrix.
    func factorizeCholesky() throws(DecompositionError) -> (rank: Int, order: [Int]) {
        var (pivots, rank) = ([Int32](repeating: 0, count: rows), Int32(0))
        var work = [Double](repeating: 0, count: 2 * rows)
        let code = LAPACKE_dpstrf_work(
            LAPACK_COL_MAJOR, LAPACK.letter("L"), leading, base, leading, &pivots, &rank, -1, &work)
        // 1 says that the matrix is only semidefinite.
        try LAPACK.check("dpstrf", code == 1 ? 0 : code)
        for index in 0..<columns {
            column(index).prefix(index < rank ? index : rows).update(repeating: 0)
        }
        return (Int(rank), pivots.map { Int($0) - 1 })
    }

    /// Replaces the columns by orthonormal ones that span as much, each from those before it and itself.
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

    /// The singular value decomposition U·Σ·Wᵀ; replaces the columns by U's and returns Σ and Wᵀ.
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
