import COpenBLAS

/// A float factor (components × length, row-major), read as doubles one panel of positions at a time.
///
/// A panel is column-major (positions × components), so every product below is a plain float64 product. Only `whole`
/// holds all of a factor in doubles.
struct FactorPanels {
    let factor: MatrixView

    /// The positions of one panel: enough for a fast product, and few enough for one core's share of the cache.
    private static let height = 256

    var components: Int { factor.rows }
    var length: Int { factor.columns }

    /// factor · factorᵀ (components × components), both triangles.
    func gram() -> DoubleMatrix {
        let gram = DoubleMatrix(rows: components, columns: components)
        forEachPanel { panel, _, count in
            cblas_dsyrk(
                CblasColMajor, CblasLower, CblasTrans, gram.leading, Int32(count), 1, panel, Int32(count), 1,
                gram.base, gram.leading)
        }
        gram.mirrorLowerTriangle()
        return gram
    }

    /// factorᵀ · coefficients (length × k), of coefficients (components × k).
    func combined(by coefficients: DoubleMatrix) -> DoubleMatrix {
        let combined = DoubleMatrix(rows: length, columns: coefficients.columns)
        forEachPanel { panel, start, count in
            cblas_dgemm(
                CblasColMajor, CblasNoTrans, CblasNoTrans, Int32(count), Int32(coefficients.columns), Int32(components),
                1, panel, Int32(count), coefficients.base, coefficients.leading, 0, combined.base + start,
                combined.leading)
        }
        return combined
    }

    /// factor · vectors (components × k), of vectors (length × k).
    func projected(onto vectors: DoubleMatrix) -> DoubleMatrix {
        let projected = DoubleMatrix(rows: components, columns: vectors.columns)
        forEachPanel { panel, start, count in
            cblas_dgemm(
                CblasColMajor, CblasTrans, CblasNoTrans, Int32(components), Int32(vectors.columns), Int32(count), 1,
                panel, Int32(count), vectors.base + start, vectors.leading, 1, projected.base, projected.leading)
        }
        return projected
    }

    /// Pᵀ·P (m × m) of the product P = factorᵀ · other (length × m); one panel of P is formed at a time.
    func gram(ofProductWith other: FactorPanels) -> DoubleMatrix {
        let whole = other.whole()
        let product = DoubleMatrix(rows: min(Self.height, length), columns: whole.rows)
        let gram = DoubleMatrix(rows: whole.rows, columns: whole.rows)
        forEachPanel { panel, _, count in
            cblas_dgemm(
                CblasColMajor, CblasNoTrans, CblasTrans, Int32(count), Int32(whole.rows), Int32(components), 1, panel,
                Int32(count), whole.base, whole.leading, 0, product.base, Int32(count))
            cblas_dsyrk(
                CblasColMajor, CblasLower, CblasTrans, gram.leading, Int32(count), 1, product.base, Int32(count), 1,
                gram.base, gram.leading)
        }
        return gram
    }

    /// factorᵀ (length × components), completely in doubles.
    func whole() -> DoubleMatrix {
        let whole = DoubleMatrix(rows: length, columns: components)
        for component in 0..<components {
            let source = factor.base + component * factor.stride
            let target = whole.column(component)
            for position in 0..<length { target[position] = Double(source[position]) }
        }
        return whole
    }

    /// Calls the body with each panel of doubles, its first position and its number of positions.
    func forEachPanel(_ body: (UnsafePointer<Double>, Int, Int) -> Void) {
        let panel = DoubleMatrix(rows: min(Self.height, length), columns: components)
        for start in stride(from: 0, to: length, by: Self.height) {
            let count = min(Self.height, length - start)
            for component in 0..<components {
                let source = factor.base + component * factor.stride + start
                let target = panel.base + component * count
                for position in 0..<count { target[position] = Double(source[position]) }
            }
            body(panel.base, start, count)
        }
    }
}
