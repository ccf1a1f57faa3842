import CVectors

/// The normalisation of every row of a matrix, in place, on the widest vectors that the processor has: for scoring.
///
/// Allocates nothing; O(rows × columns).
package enum RowNormalisation {
    /// Every row ← γ·(x − mean(x))/√(variance(x) + ε) + β with x = row + bias + residual.
    /// - Precondition: rows lie one behind the other in both matrices, which are of one shape, and the vectors are as long as
    ///   a row.
    package static func applyWidest(
        to values: MutableMatrixView, bias: UnsafeBufferPointer<Float>? = nil, residual: MatrixView? = nil,
        gain: UnsafeBufferPointer<Float>, shift: UnsafeBufferPointer<Float>, epsilon: Float,
        width: KernelWidth = .widest
    ) {
        let columns = values.columns
        precondition(
            values.stride == columns && gain.count == columns && shift.count == columns
                && (bias?.count ?? columns) == columns, "rows of \(columns), \(values.stride) apart")
        if let residual {
            precondition(
                residual.rows == values.rows && residual.columns == columns && residual.stride == columns,
                "a residual of \(residual.rows)×\(residual.columns)")
        }
        rows_normalise(
            width.storage, values.base, bias?.baseAddress, residual?.base, gain.baseAddress, shift.baseAddress, epsilon,
            values.rows, columns)
    }
}
