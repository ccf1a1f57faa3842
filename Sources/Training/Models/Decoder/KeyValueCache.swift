import LinearAlgebra

/// The keys and values of one layer for all tokens of a text so far: (tokens × 2·keyValueWidth).
final class KeyValueCache {
    private let width: Int
    private let values: FloatBlock

    /// - Parameters:
    ///   - width: of a token's keys and values together.
    ///   - capacity: the most tokens.
    init(width: Int, capacity: Int) {
        self.width = width
        values = FloatBlock(count: width * capacity)
    }

    /// The first `rows` tokens.
    func matrix(rows: Int) -> MatrixView { values.matrix(rows: rows, columns: width).readOnly }

    /// Writes the keys and values of tokens from position `first` on.
    ///
    /// - Precondition: they are within the capacity.
    func write(_ rows: MatrixView, at first: Int) {
        precondition((first + rows.rows) * width <= values.floats.count, "a cache of \(values.floats.count / width)")
        guard let base = values.floats.baseAddress else { return }
        for row in 0..<rows.rows {
            (base + (first + row) * width).update(from: rows.base + row * rows.stride, count: width)
        }
    }
}
