package import LinearAlgebra

/// Numbers that are trained, and their gradient.
package struct TrainedTensor {
    let values: FloatBlock
    let gradient: FloatBlock
    package let rows: Int
    package let columns: Int

    /// - Precondition: there are rows × columns values.
    init(_ values: [Float], rows: Int, columns: Int) {
        let block = FloatBlock(count: values.count)
        _ = block.floats.update(from: values)
        self.init(values: block, rows: rows, columns: columns)
    }

    /// Trains the numbers of a block in place.
    ///
    /// - Precondition: there are rows × columns of them.
    init(values: FloatBlock, rows: Int, columns: Int) {
        precondition(values.floats.count == rows * columns, "\(values.floats.count) values for \(rows)×\(columns)")
        self.values = values
        gradient = FloatBlock(count: rows * columns)
        self.rows = rows
        self.columns = columns
    }

    /// The same values with a gradient of their own, for another part of the batch.
    var replica: TrainedTensor { TrainedTensor(values: values, rows: rows, columns: columns) }

    package var matrix: MatrixView { values.matrix(rows: rows, columns: columns).readOnly }
    package var gradientMatrix: MutableMatrixView { gradient.matrix(rows: rows, columns: columns) }
    package var isFinite: Bool { values.floats.allSatisfy(\.isFinite) }

    /// gradient ← fraction·gradient + (1 − fraction)·other's gradient.
    func blend(_ fraction: Float, with other: TrainedTensor) {
        guard let target = gradient.floats.baseAddress, let source = other.gradient.floats.baseAddress else { return }
        for index in 0..<rows * columns { target[index] = fraction * target[index] + (1 - fraction) * source[index] }
    }

    /// The gradient of a bias: that of the output (rows × numbers), summed over its rows.
    func fillGradient(withColumnSumsOf output: MatrixView) {
        gradient.floats.update(repeating: 0)
        for row in 0..<output.rows {
            for column in 0..<output.columns {
                gradient.floats[column] += output.base[row * output.stride + column]
            }
        }
    }
}
