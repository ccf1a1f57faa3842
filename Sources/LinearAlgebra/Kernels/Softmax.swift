import CVectors

/// The softmax of every row of a matrix, in place, and the gradient through it.
///
/// Allocates nothing; O(rows × columns).
package enum Softmax {
    /// Every row ← softmax(row), by vectors of eight floats on every processor, so that training gives the same bytes.
    package static func apply(to scores: MutableMatrixView) {
        let (width, count) = (FloatVector.scalarCount, scores.columns)
        let whole = count - count % width
        for row in 0..<scores.rows {
            let values = scores.base + row * scores.stride
            var highest = FloatVector(repeating: -.greatestFiniteMagnitude)
            for column in stride(from: 0, to: whole, by: width) {
                highest = pointwiseMax(highest, FloatVector.load(values + column))
            }
            if whole < count {
                highest = pointwiseMax(
                    highest,
                    FloatVector.load(values + whole, count: count - whole, filler: -.greatestFiniteMagnitude))
            }
            let top = highest.max()
            var sum = FloatVector(repeating: 0)
            for column in stride(from: 0, to: whole, by: width) {
                let power = FloatVector.exp(FloatVector.load(values + column) - top)
                FloatVector.store(power, to: values + column)
                sum += power
            }
            var total = sum.sum()
            if whole < count {
                let rest = FloatVector.exp(FloatVector.load(values + whole, count: count - whole, filler: top) - top)
                FloatVector.store(rest, to: values + whole, count: count - whole)
                for column in whole..<count { total += values[column] }
            }
            let scale = 1 / total
            for column in 0..<count { values[column] *= scale }
        }
    }

    /// Every row ← softmax(scale·row), on the widest vectors that the processor has: for scoring.
    /// - Precondition: `scale` is positive.
    package static func applyWidest(to values: MutableMatrixView, scale: Float = 1, width: KernelWidth = .widest) {
        precondition(scale > 0, "a scale of \(scale)")
        rows_softmax(width.storage, values.base, values.rows, values.columns, values.stride, scale)
    }

    /// The gradient of a softmax's input from that of its output: g ← p·(g − Σ g·p), row by row.
    package static func propagate(_ gradient: MutableMatrixView, of output: MatrixView) {
        for row in 0..<gradient.rows {
            let values = gradient.base + row * gradient.stride
            let weights = output.base + row * output.stride
            let total = RowArithmetic.dot(UnsafePointer(values), weights, gradient.columns)
            for column in 0..<gradient.columns { values[column] = weights[column] * (values[column] - total) }
        }
    }
}
