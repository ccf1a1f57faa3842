import COpenBLAS

extension DoubleMatrix {
    /// The product of this matrix with `right` or its transpose.
    func multiplied(by right: DoubleMatrix, _ form: MatrixForm = .asGiven) -> DoubleMatrix {
        let width = form == .asGiven ? right.columns : right.rows
        let product = DoubleMatrix(rows: rows, columns: width)
        cblas_dgemm(
            CblasColMajor, CblasNoTrans, form == .asGiven ? CblasNoTrans : CblasTrans, leading, Int32(width),
            Int32(columns), 1, base, leading, right.base, right.leading, 0, product.base, product.leading)
        return product
    }

    /// C·M for this lower triangular matrix C and a matrix M. M may have fewer rows; missing rows count as zero.
    func lowerTriangle(multipliedBy matrix: DoubleMatrix) -> DoubleMatrix {
        let product = matrix.leadingBlock(rows: rows, columns: matrix.columns)
        cblas_dtrmm(
            CblasColMajor, CblasLeft, CblasLower, CblasNoTrans, CblasNonUnit, leading, Int32(product.columns), 1, base,
            leading, product.base, product.leading)
        return product
    }

    /// The leading (size × size) block of Cᵀ·S·C, for this symmetric matrix S and a lower triangular C. Only the lower
    /// triangle of the result is valid.
    func congruent(byLowerTriangle triangle: DoubleMatrix, size: Int) throws(DecompositionError) -> DoubleMatrix {
        let whole = leadingBlock(rows: rows, columns: columns)
        try LAPACK.check(
            "dsygst",
            LAPACKE_dsygst_work(
                LAPACK_COL_MAJOR, 2, LAPACK.letter("L"), leading, whole.base, leading, triangle.base, triangle.leading)
        )
        return size == rows ? whole : whole.leadingBlock(rows: size, columns: size)
    }
}
