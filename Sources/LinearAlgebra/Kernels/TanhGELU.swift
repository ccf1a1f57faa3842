/// GPT-2's approximation of GELU, x·(1 + tanh u)/2 with u = √(2/π)·(x + 0.044715·x³), and its gradient.
///
/// Allocates nothing; O(rows × columns); by vectors of eight floats on every processor.
package enum TanhGELU {
    /// output ← gelu(input)
    ///
    /// - Precondition: both have one shape.
    package static func apply(_ input: MatrixView, into output: MutableMatrixView) {
        precondition(input.rows == output.rows && input.columns == output.columns, "matrices of two shapes")
        forEachVector(output) { row, column, count in
            let x = load(input.base + row * input.stride + column, count)
            store(x * share(x), to: output.base + row * output.stride + column, count)
        }
    }

    /// Replaces the input by its gradient.
    ///
    /// - Parameter gradient: that of the output, of the input's shape.
    package static func propagate(_ gradient: MatrixView, replacing input: MutableMatrixView) {
        precondition(input.rows == gradient.rows && input.columns == gradient.columns, "matrices of two shapes")
        forEachVector(input) { row, column, count in
            let target = input.base + row * input.stride + column
            let x = load(target, count)
            let share = share(x)
            let inner = (x * x * (3 * cubic) + 1) * (2 * linear)
            let slope = share + x * share * (1 - share) * inner
            store(load(gradient.base + row * gradient.stride + column, count) * slope, to: target, count)
        }
    }

    private static let linear: Float = 0.797_884_56
    private static let cubic: Float = 0.044_715

    /// (1 + tanh u)/2 = σ(2u)
    @inline(__always)
    private static func share(_ x: FloatVector) -> FloatVector {
        1 / (FloatVector.exp(x * (x * x * cubic + 1) * (-2 * linear)) + 1)
    }

    @inline(__always)
    private static func load(_ pointer: UnsafePointer<Float>, _ count: Int) -> FloatVector {
        count == FloatVector.scalarCount
            ? FloatVector.load(pointer) : FloatVector.load(pointer, count: count, filler: 0)
    }

    @inline(__always)
    private static func store(_ vector: FloatVector, to pointer: UnsafeMutablePointer<Float>, _ count: Int) {
        if count == FloatVector.scalarCount {
            FloatVector.store(vector, to: pointer)
        } else {
            FloatVector.store(vector, to: pointer, count: count)
        }
    }

    /// The row, the first column and the length of every vector of a matrix.
    @inline(__always)
    private static func forEachVector(_ matrix: MutableMatrixView, _ body: (Int, Int, Int) -> Void) {
        for row in 0..<matrix.rows {
            for column in stride(from: 0, to: matrix.columns, by: FloatVector.scalarCount) {
                body(row, column, min(FloatVector.scalarCount, matrix.columns - column))
            }
        }
    }
}
