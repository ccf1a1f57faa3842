/// The gated unit silu(gate)·up of a decoder's feed-forward part, and its gradient (Shazeer, arXiv 2002.05202).
///
/// silu(x) = x·σ(x). Allocates nothing; O(rows × columns); by vectors of eight floats on every processor.
package enum SwiGLU {
    /// output ← silu(gate)·up
    ///
    /// - Parameters:
    ///   - gates: (rows × 2·columns): gate, then up.
    ///   - output: (rows × columns)
    package static func apply(_ gates: MatrixView, into output: MutableMatrixView) {
        let count = output.columns
        precondition(gates.columns == 2 * count && gates.rows == output.rows, "\(gates.columns) gates for \(count)")
        let width = FloatVector.scalarCount
        let whole = count - count % width
        for row in 0..<output.rows {
            let gate = gates.base + row * gates.stride
            let (up, target) = (gate + count, output.base + row * output.stride)
            for column in stride(from: 0, to: whole, by: width) {
                let x = FloatVector.load(gate + column)
                FloatVector.store(x * sigmoid(x) * FloatVector.load(up + column), to: target + column)
            }
            if whole < count {
                let rest = count - whole
                let x = FloatVector.load(gate + whole, count: rest, filler: 0)
                let result = x * sigmoid(x) * FloatVector.load(up + whole, count: rest, filler: 0)
                FloatVector.store(result, to: target + whole, count: rest)
            }
        }
    }

    /// Replaces gate and up by their gradients.
    ///
    /// - Parameter gradient: that of the output (rows × columns).
    package static func propagate(_ gradient: MatrixView, replacing gates: MutableMatrixView) {
        let count = gradient.columns
        precondition(gates.columns == 2 * count && gates.rows == gradient.rows, "\(gates.columns) gates for \(count)")
        let width = FloatVector.scalarCount
        let whole = count - count % width
        for row in 0..<gradient.rows {
            let (source, gate) = (gradient.base + row * gradient.stride, gates.base + row * gates.stride)
            let up = gate + count
            for column in stride(from: 0, to: whole, by: width) {
                let result = slopes(
                    FloatVector.load(source + column), gate: FloatVector.load(gate + column),
                    up: FloatVector.load(up + column))
                FloatVector.store(result.gate, to: gate + column)
                FloatVector.store(result.up, to: up + column)
            }
            if whole < count {
                let rest = count - whole
                let result = slopes(
                    FloatVector.load(source + whole, count: rest, filler: 0),
                    gate: FloatVector.load(gate + whole, count: rest, filler: 0),
                    up: FloatVector.load(up + whole, count: rest, filler: 0))
                FloatVector.store(result.gate, to: gate + whole, count: rest)
                FloatVector.store(result.up, to: up + whole, count: rest)
            }
        }
    }

    /// With s = σ(gate): ∂gate = ∂y·up·s·(1 + gate·(1 − s)), and ∂up = ∂y·gate·s.
    @inline(__always)
    private static func slopes(
        _ gradient: FloatVector, gate: FloatVector, up: FloatVector
    ) -> (gate: FloatVector, up: FloatVector) {
        let share = sigmoid(gate)
        let slope = share * (gate * (1 - share) + 1)
        return (gradient * up * slope, gradient * gate * share)
    }

    @inline(__always)
    private static func sigmoid(_ x: FloatVector) -> FloatVector { 1 / (FloatVector.exp(-x) + 1) }
}
