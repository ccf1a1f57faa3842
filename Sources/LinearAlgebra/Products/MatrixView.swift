/// A row-major matrix of floats in somebody else's memory, for reading.
///
/// Rows may be further apart than they are long (`stride`), so a block of a larger matrix is also a view.
package struct MatrixView {
    package let base: UnsafePointer<Float>
    package let rows: Int
    package let columns: Int
    /// Floats from the start of one row to the start of the next; at least `columns`.
    package let stride: Int

    /// Views the first rows × columns floats of `buffer`.
    /// - Precondition: the buffer holds that many, and both dimensions are positive.
    package init(_ buffer: UnsafeBufferPointer<Float>, rows: Int, columns: Int) {
        self.init(buffer, rows: rows, columns: columns, stride: columns)
    }

    /// Views rows of `columns` floats each, `stride` apart.
    /// - Precondition: the last row ends within the buffer, both dimensions are positive, and `stride >= columns`.
    package init(_ buffer: UnsafeBufferPointer<Float>, rows: Int, columns: Int, stride: Int) {
        let base = MatrixExtent.check(buffer.baseAddress, count: buffer.count, rows, columns, stride)
        self.init(base: base, rows: rows, columns: columns, stride: stride)
    }

    init(base: UnsafePointer<Float>, rows: Int, columns: Int, stride: Int) {
        self.base = base
        self.rows = rows
        self.columns = columns
        self.stride = stride
    }

    /// The element at a row and a column; checks the bounds.
    package subscript(row: Int, column: Int) -> Float {
        precondition(row >= 0 && row < rows && column >= 0 && column < columns, "an element outside its matrix")
        return base[row * stride + column]
    }

    /// The first `count` rows.
    package func prefix(rows count: Int) -> MatrixView {
        precondition(count > 0 && count <= rows, "a prefix of \(count) rows of a matrix of \(rows)")
        return MatrixView(base: base, rows: count, columns: columns, stride: stride)
    }
}

/// A row-major matrix of floats in somebody else's memory, for writing.
package struct MutableMatrixView {
    package let base: UnsafeMutablePointer<Float>
    package let rows: Int
    package let columns: Int
    /// Floats from the start of one row to the start of the next; at least `columns`.
    package let stride: Int

    /// Views the first rows × columns floats of `buffer`.
    /// - Precondition: the buffer holds that many, and both dimensions are positive.
    package init(_ buffer: UnsafeMutableBufferPointer<Float>, rows: Int, columns: Int) {
        self.init(buffer, rows: rows, columns: columns, stride: columns)
    }

    /// Views rows of `columns` floats each, `stride` apart.
    /// - Precondition: the last row ends within the buffer, both dimensions are positive, and `stride >= columns`.
    package init(_ buffer: UnsafeMutableBufferPointer<Float>, rows: Int, columns: Int, stride: Int) {
        let base = MatrixExtent.check(buffer.baseAddress, count: buffer.count, rows, columns, stride)
        self.init(base: base, rows: rows, columns: columns, stride: stride)
    }

    private init(base: UnsafeMutablePointer<Float>, rows: Int, columns: Int, stride: Int) {
        self.base = base
        self.rows = rows
        self.columns = columns
        self.stride = stride
    }

    /// The element at a row and a column; checks the bounds.
    package subscript(row: Int, column: Int) -> Float {
        precondition(row >= 0 && row < rows && column >= 0 && column < columns, "an element outside its matrix")
        return base[row * stride + column]
    }

    /// The first `count` rows.
    package func prefix(rows count: Int) -> MutableMatrixView {
        precondition(count > 0 && count <= rows, "a prefix of \(count) rows of a matrix of \(rows)")
        return MutableMatrixView(base: base, rows: count, columns: columns, stride: stride)
    }

    /// The same matrix, for reading.
    package var readOnly: MatrixView {
        MatrixView(base: UnsafePointer(base), rows: rows, columns: columns, stride: stride)
    }
}

/// The conditions that both views check once, so that kernels need not check them for each element.
private enum MatrixExtent {
    static func check<Pointer>(_ base: Pointer?, count: Int, _ rows: Int, _ columns: Int, _ stride: Int) -> Pointer {
        precondition(rows > 0 && columns > 0 && stride >= columns, "a matrix of \(rows)×\(columns), stride \(stride)")
        // OpenBLAS counts in 32 bits.
        precondition(max(rows, columns, stride) <= Int(Int32.max), "a dimension beyond OpenBLAS's 32-bit integers")
        let (before, overflow) = (rows - 1).multipliedReportingOverflow(by: stride)
        guard let base, !overflow, before <= count - columns else {
            preconditionFailure("\(rows)×\(columns) floats, stride \(stride), in a buffer of \(count)")
        }
        return base
    }
}
