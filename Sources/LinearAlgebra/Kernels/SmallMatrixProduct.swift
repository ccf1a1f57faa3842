import CVectors

/// Products of few rows by an unpacked matrix, which OpenBLAS would pack first. With AVX-512; elsewhere by OpenBLAS.
///
/// Allocates nothing of its own.
package enum SmallMatrixProduct {
    /// Whether this processor has AVX-512.
    package static let isAvailable = panels_are_available()

    /// target ← left·right, or target + left·right where `isAdded`.
    ///
    /// Shapes: left is (m × k), right (k × n), target (m × n); each may be a block of a larger matrix. O(m·n·k).
    ///
    /// - Parameter isDirect: use the AVX-512 kernel; only where `isAvailable`.
    /// - Precondition: the shapes agree, and the target shares no memory with the factors.
    package static func multiply(
        _ left: MatrixView, _ right: MatrixView, into target: MutableMatrixView, isAdded: Bool = false,
        isDirect: Bool = isAvailable
    ) {
        guard isDirect else {
            MatrixProduct.accumulate(into: target, keep: isAdded ? 1 : 0, left, .asGiven, right, .asGiven)
            return
        }
        precondition(
            left.columns == right.rows && target.rows == left.rows && target.columns == right.columns,
            "\(target.rows)×\(target.columns) cannot hold \(left.rows)×\(left.columns) by \(right.rows)×\(right.columns)"
        )
        panels_multiply_direct(
            left.base, left.rows, left.columns, left.stride, right.base, right.stride, right.columns, isAdded,
            target.base,
            target.stride)
    }

    /// target ← sourceᵀ.
    ///
    /// - Parameter isDirect: use the AVX-512 kernel; only where `isAvailable`.
    /// - Precondition: the shapes agree, and the two share no memory.
    package static func transpose(
        _ source: MatrixView, into target: MutableMatrixView, isDirect: Bool = isAvailable
    ) {
        precondition(
            source.rows == target.columns && source.columns == target.rows,
            "\(target.rows)×\(target.columns) cannot hold \(source.rows)×\(source.columns) transposed")
        guard !isDirect else {
            panels_transpose(
                source.base, source.rows, source.columns, source.stride, target.base, target.stride)
            return
        }
        for row in 0..<source.rows {
            for column in 0..<source.columns {
                target.base[column * target.stride + row] = source.base[row * source.stride + column]
            }
        }
    }
}
