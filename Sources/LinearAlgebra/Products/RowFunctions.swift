import CVectors

/// An encoder's row operations between its matrix products, in place, on the widest vectors of the processor.
///
/// Allocates nothing; O(rows × columns).
package enum RowFunctions {
    /// The width of the vectors that a function uses.
    package struct Width: Sendable, Hashable {
        fileprivate let storage: rows_width

        /// The widest vectors of this processor.
        package static let widest = Width(storage: rows_widest())
        /// The widths of this processor, the widest last.
        package static let available = [rows_oldest, rows_avx2, rows_avx512]
            .filter { $0.rawValue <= rows_widest().rawValue }.map(Width.init(storage:))
    }

    /// values ← gelu(values + bias), where gelu(x) = x·Φ(x) (Hendrycks and Gimpel, arXiv 1606.08415), accurate to 3e-7.
    ///
    /// - Parameters:
    ///   - values: (rows × columns); rows may have a stride.
    ///   - bias: (columns), added to every row.
    package static func gelu(
        _ values: MutableMatrixView, bias: UnsafeBufferPointer<Float>, width: Width = .widest
    ) {
        precondition(bias.count == values.columns, "a bias of \(bias.count) for rows of \(values.columns)")
        rows_gelu(width.storage, values.base, values.rows, values.columns, values.stride, bias.baseAddress)
    }

    /// Every row ← softmax(scale·row), where eˣ has a relative error below 2e-7.
    ///
    /// - Parameter values: (rows × columns); rows may have a stride.
    /// - Precondition: `scale` is positive.
    package static func softmax(_ values: MutableMatrixView, scale: Float = 1, width: Width = .widest) {
        precondition(scale > 0, "a scale of \(scale)")
        rows_softmax(width.storage, values.base, values.rows, values.columns, values.stride, scale)
    }

    /// Every row ← γ·(x − mean(x))/√(variance(x) + ε) + β with x = row + bias + residual: layer normalisation (Ba,
    /// Kiros and Hinton, arXiv 1607.06450).
    ///
    /// - Parameters:
    ///   - values: (rows × columns), without gaps between rows.
    ///   - bias: (columns), added to every row; nil for none.
    ///   - residual: (rows × columns), without gaps between rows; nil for none.
    ///   - gain: γ (columns).
    ///   - shift: β (columns).
    ///   - epsilon: ε.
    package static func normalise(
        _ values: MutableMatrixView, bias: UnsafeBufferPointer<Float>? = nil, residual: MatrixView? = nil,
        gain: UnsafeBufferPointer<Float>, shift: UnsafeBufferPointer<Float>, epsilon: Float, width: Width = .widest
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
