import COpenBLAS

/// LAPACK's view of one letter.
private func letter(_ character: Unicode.Scalar) -> CChar { CChar(truncatingIfNeeded: character.value) }

extension DoubleMatrix {
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

    /// Replaces a positive semidefinite matrix by its pivoted Cholesky factor C, lower and zero above.
    ///
    /// It stops where what is left is rounding; the columns from there on are zero.
    /// - Returns: the number of columns that are not, and where each row of C was in the matrix.
    func factorizeCholesky() throws(DecompositionError) -> (rank: Int, order: [Int]) {
        var (pivots, rank) = ([Int32](repeating: 0, count: rows), Int32(0))
        var work = [Double](repeating: 0, count: 2 * rows)
        let code = LAPACKE_dpstrf_work(
            LAPACK_COL_MAJOR, letter("L"), leading, base, leading, &pivots, &rank, -1, &work)
        // 1 says that the matrix is only semidefinite.
        guard code == 0 || code == 1 else { throw .notConverged(routine: "dpstrf", code: Int(code)) }
        for column in 0..<columns {
            let kept = column < rank ? column : rows
            (base + column * rows).update(repeating: 0, count: kept)
        }
        return (Int(rank), pivots.map { Int($0) - 1 })
    }

    /// The entries at (order[i], order[j]) of a symmetric matrix.
    func permutedSymmetrically(_ order: [Int]) -> DoubleMatrix {
        let permuted = DoubleMatrix(rows: rows, columns: columns)
        for (column, sourceColumn) in order.enumerated() {
            for (row, sourceRow) in order.enumerated() { permuted[row, column] = self[sourceRow, sourceColumn] }
        }
        return permuted
    }

    /// Cᵀ·S·C of this symmetric matrix S and a lower triangle C; only the lower triangle of the result counts.
    func congruent(byLowerTriangle triangle: DoubleMatrix) throws(DecompositionError) -> DoubleMatrix {
        let result = copy()
        let code = LAPACKE_dsygst_work(
            LAPACK_COL_MAJOR, 2, letter("L"), leading, result.base, leading, triangle.base, triangle.leading)
        guard code == 0 else { throw .notConverged(routine: "dsygst", code: Int(code)) }
        return result
    }

    /// C·M of this lower triangle C and a matrix M, which may have fewer rows: the rest are zero.
    func lowerTriangle(multipliedBy matrix: DoubleMatrix) -> DoubleMatrix {
        let result = DoubleMatrix(rows: rows, columns: matrix.columns)
        for column in 0..<matrix.columns {
            (result.base + column * rows).update(from: matrix.base + column * matrix.rows, count: matrix.rows)
        }
        cblas_dtrmm(
            CblasColMajor, CblasLeft, CblasLower, CblasNoTrans, CblasNonUnit, leading, Int32(result.columns), 1, base,
            leading, result.base, result.leading)
        return result
    }

    func multiplied(by right: DoubleMatrix, _ form: MatrixForm = .asGiven) -> DoubleMatrix {
        let width = form == .asGiven ? right.columns : right.rows
        let product = DoubleMatrix(rows: rows, columns: width)
        cblas_dgemm(
            CblasColMajor, CblasNoTrans, form == .asGiven ? CblasNoTrans : CblasTrans, leading, Int32(width),
            Int32(columns), 1, base,
            leading, right.base, right.leading, 0, product.base, product.leading)
        return product
    }

    /// Replaces the columns by orthonormal ones that span as much, each from those before it and itself.
    /// - Precondition: there are no more columns than rows.
    func orthonormalizeColumns() throws(DecompositionError) {
        var reflectors = [Double](repeating: 0, count: columns)
        let (m, n) = (Int32(rows), Int32(columns))
        try withWorkspace("dgeqrf") { work, room in
            LAPACKE_dgeqrf_work(LAPACK_COL_MAJOR, m, n, base, leading, &reflectors, work, room)
        }
        try withWorkspace("dorgqr") { work, room in
            LAPACKE_dorgqr_work(LAPACK_COL_MAJOR, m, n, n, base, leading, reflectors, work, room)
        }
    }

    /// The singular value decomposition U·Σ·Wᵀ; replaces the columns by U's and returns Σ and Wᵀ.
    /// - Precondition: there are no more columns than rows.
    func decomposeInPlace() throws(DecompositionError) -> (values: [Double], transposedRight: DoubleMatrix) {
        var values = [Double](repeating: 0, count: columns)
        let transposed = DoubleMatrix(rows: columns, columns: columns)
        var indices = [Int32](repeating: 0, count: 8 * columns)
        try withWorkspace("dgesdd") { work, room in
            LAPACKE_dgesdd_work(
                LAPACK_COL_MAJOR, letter("O"), Int32(rows), Int32(columns), base, leading, &values, nil, leading,
                transposed.base, transposed.leading, work, room, &indices)
        }
        return (values, transposed)
    }

    /// The leading size × size block.
    func leadingBlock(_ size: Int) -> DoubleMatrix {
        if size == rows, size == columns { return self }
        let block = DoubleMatrix(rows: size, columns: size)
        for column in 0..<size { (block.base + column * size).update(from: base + column * rows, count: size) }
        return block
    }

    /// The entries as floats.
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
