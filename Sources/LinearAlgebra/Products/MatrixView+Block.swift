extension MatrixView {
    /// Some rows and columns of the matrix.
    package func block(_ rows: Range<Int>, _ columns: Range<Int>) -> MatrixView {
        precondition(rows.upperBound <= self.rows && columns.upperBound <= self.columns, "a block beyond its matrix")
        let start = rows.lowerBound * stride + columns.lowerBound
        let count = (rows.count - 1) * stride + columns.count
        return MatrixView(
            UnsafeBufferPointer(start: base + start, count: count), rows: rows.count, columns: columns.count,
            stride: stride)
    }
}

extension MutableMatrixView {
    /// Some rows and columns of the matrix.
    package func block(_ rows: Range<Int>, _ columns: Range<Int>) -> MutableMatrixView {
        precondition(rows.upperBound <= self.rows && columns.upperBound <= self.columns, "a block beyond its matrix")
        let start = rows.lowerBound * stride + columns.lowerBound
        let count = (rows.count - 1) * stride + columns.count
        return MutableMatrixView(
            UnsafeMutableBufferPointer(start: base + start, count: count), rows: rows.count, columns: columns.count,
            stride: stride)
    }
}
