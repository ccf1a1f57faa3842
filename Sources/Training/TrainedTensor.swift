import LinearAlgebra

/// Numbers that are trained: their values, where their gradient goes, and what momentum remembers.
struct TrainedTensor {
    let values: FloatBlock
    let gradient: FloatBlock
    let velocity: FloatBlock
    let rows: Int
    let columns: Int

    /// - Precondition: there are rows × columns values.
    init(_ values: [Float], rows: Int, columns: Int) {
        precondition(values.count == rows * columns, "\(values.count) values for \(rows)×\(columns)")
        self.values = FloatBlock(count: values.count)
        gradient = FloatBlock(count: values.count)
        velocity = FloatBlock(count: values.count)
        self.rows = rows
        self.columns = columns
        _ = self.values.floats.update(from: values)
    }

    var matrix: MatrixView { values.matrix(rows: rows, columns: columns).readOnly }
    var gradientMatrix: MutableMatrixView { gradient.matrix(rows: rows, columns: columns) }
    var isFinite: Bool { values.floats.allSatisfy(\.isFinite) }

    /// velocity ← momentum·velocity + gradient; values ← values − rate·velocity, as torch's SGD has it.
    func descend(rate: Float, momentum: Float) {
        let (values, gradient, velocity) = (values.floats, gradient.floats, velocity.floats)
        for index in values.indices {
            velocity[index] = momentum * velocity[index] + gradient[index]
            values[index] -= rate * velocity[index]
        }
    }
}
