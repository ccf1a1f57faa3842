import CVectors
import Glibc

/// The softmax of every row of a matrix, in place, and the gradient through it.
///
/// Allocates nothing; O(rows × columns).
package enum Softmax {
    /// Every row ← softmax(row), by vectors of eight floats on every processor, so that training gives the same bytes.
    package static func apply(to scores: MutableMatrixView) {
        for row in 0..<scores.rows { apply(scores.base + row * scores.stride, count: scores.columns) }
    }

    /// Every row ← softmax of its first numbers, and zeros after them: one more number a row, from `first` in the first row.
    ///
    /// - Precondition: the last row has no more columns than the matrix.
    package static func applyCausally(to scores: MutableMatrixView, first: Int) {
        precondition(first > 0 && first + scores.rows - 1 <= scores.columns, "\(first) of \(scores.columns) columns")
        for row in 0..<scores.rows {
            let values = scores.base + row * scores.stride
            apply(values, count: first + row)
            (values + first + row).update(repeating: 0, count: scores.columns - first - row)
        }
    }

    /// values ← softmax(values)
    @inline(__always)
    private static func apply(_ values: UnsafeMutablePointer<Float>, count: Int) {
        let width = FloatVector.scalarCount
        let whole = count - count % width
        var highest = FloatVector(repeating: -.greatestFiniteMagnitude)
        for column in stride(from: 0, to: whole, by: width) {
            highest = FloatVector.higher(highest, FloatVector.load(values + column))
        }
        if whole < count {
            highest = FloatVector.higher(
                highest, FloatVector.load(values + whole, count: count - whole, filler: -.greatestFiniteMagnitude))
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

    /// The cross-entropy of a row's softmax with one class, in nats, and whether that class has the row's highest score.
    /// With `weight`, the row becomes weight·(softmax(row) − 1 at the class): the gradient of weight times the loss.
    ///
    /// - Precondition: `0 <= target < count`.
    package static func crossEntropy(
        _ scores: UnsafeMutablePointer<Float>, count: Int, target: Int, gradientWeight weight: Float?
    ) -> (loss: Float, isHighest: Bool) {
        precondition(target >= 0 && target < count, "class \(target) of \(count)")
        let width = FloatVector.scalarCount
        let whole = count - count % width
        var highest = FloatVector(repeating: -.greatestFiniteMagnitude)
        for column in stride(from: 0, to: whole, by: width) {
            highest = FloatVector.higher(highest, FloatVector.load(scores + column))
        }
        var top = highest.max()
        for column in whole..<count { top = max(top, scores[column]) }
        let score = scores[target]
        // Partial sums of a few hundred powers, added as doubles: a vocabulary is long.
        var total = 0.0
        for first in stride(from: 0, to: whole, by: 512) {
            var sum = FloatVector(repeating: 0)
            for column in stride(from: first, to: min(first + 512, whole), by: width) {
                let power = FloatVector.exp(FloatVector.load(scores + column) - top)
                if weight != nil { FloatVector.store(power, to: scores + column) }
                sum += power
            }
            total += Double(sum.sum())
        }
        if whole < count {
            let rest = FloatVector.exp(FloatVector.load(scores + whole, count: count - whole, filler: top) - top)
            for column in whole..<count {
                total += Double(rest[column - whole])
                if weight != nil { scores[column] = rest[column - whole] }
            }
        }
        if let weight {
            let scale = weight / Float(total)
            for column in 0..<count { scores[column] *= scale }
            scores[target] -= weight
        }
        return (logf(Float(total)) + top - score, score >= top)
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
