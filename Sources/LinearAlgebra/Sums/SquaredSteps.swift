import CVectors

/// Σ (scale·x − y)² over parts of matrices, in float64.
///
/// Numbers are dealt to sixteen sums by their column, so the result depends on the order of the parts and on nothing else.
package struct SquaredSteps {
    private var sums: [Double]
    private let vectors: VectorWidth

    /// - Parameter vectors: a width that this processor has.
    package init(vectors: VectorWidth = .widest) {
        sums = [Double](repeating: 0, count: 16)
        self.vectors = vectors
    }

    /// Adds the rows of x.
    ///
    /// - Parameters:
    ///   - x: (rows × columns), without gaps.
    ///   - y: the rows that it is compared with, of `stride` numbers each, of which the first `columns` count; nil for
    ///     zeros.
    /// - Precondition: the buffers hold these rows.
    package mutating func add(
        _ x: UnsafeBufferPointer<Float>, minus y: UnsafeBufferPointer<Float>?, stride: Int, columns: Int, scale: Double
    ) {
        guard let start = x.baseAddress, columns > 0 else { return }
        let rows = x.count / columns
        precondition(
            rows * columns == x.count && (y.map { $0.count >= (rows - 1) * stride + columns } ?? true),
            "steps between matrices of other sizes")
        sums.withUnsafeMutableBufferPointer {
            order_add_squares(
                vectors == .eight, start, y?.baseAddress, stride, rows, columns, scale, $0.baseAddress)
        }
    }

    package var total: Double { sums.reduce(0, +) }
}
