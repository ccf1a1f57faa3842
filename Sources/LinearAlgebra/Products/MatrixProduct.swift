import COpenBLAS

/// Whether a factor of a product is used as given or transposed.
package enum MatrixForm: Sendable {
    case asGiven
    case transposed
}

/// General matrix products of float matrices, by OpenBLAS.
package enum MatrixProduct {
    /// target ← scale · op(left) · op(right) + keep · target, where op is given by the forms.
    ///
    /// Shapes: op(left) is (m × k), op(right) (k × n), target (m × n). O(m·n·k); allocates nothing itself. `keep` 0
    /// overwrites the target without reading it.
    /// - Precondition: the shapes agree, and the target shares no memory with the factors.
    package static func accumulate(
        into target: MutableMatrixView, keep: Float = 0, scale: Float = 1,
        _ left: MatrixView, _ leftForm: MatrixForm = .asGiven,
        _ right: MatrixView, _ rightForm: MatrixForm = .asGiven
    ) {
        let (m, k) = leftForm == .asGiven ? (left.rows, left.columns) : (left.columns, left.rows)
        let (inner, n) = rightForm == .asGiven ? (right.rows, right.columns) : (right.columns, right.rows)
        precondition(
            k == inner && target.rows == m && target.columns == n,
            "\(target.rows)×\(target.columns) cannot hold the product of \(m)×\(k) and \(inner)×\(n)")
        OpenBLAS.singleThreaded
        cblas_sgemm(
            CblasRowMajor, leftForm.cblas, rightForm.cblas, Int32(m), Int32(n), Int32(k), scale,
            left.base, Int32(left.stride), right.base, Int32(right.stride), keep, target.base, Int32(target.stride))
    }

    /// target ← left · right of square matrices of doubles, column-major (side × side).
    /// - Precondition: all three hold side² numbers.
    package static func multiply(into target: inout [Double], _ left: [Double], _ right: [Double], side: Int) {
        precondition(
            target.count == side * side && left.count == target.count && right.count == target.count,
            "square matrices of unequal sizes")
        OpenBLAS.singleThreaded
        target.withUnsafeMutableBufferPointer {
            cblas_dgemm(
                CblasColMajor, CblasNoTrans, CblasNoTrans, Int32(side), Int32(side), Int32(side), 1, left, Int32(side),
                right, Int32(side), 0, $0.baseAddress, Int32(side))
        }
    }
}

extension MatrixForm {
    fileprivate var cblas: CBLAS_TRANSPOSE {
        switch self {
        case .asGiven: CblasNoTrans
        case .transposed: CblasTrans
        }
    }
}
