import LinearAlgebra

/// A frozen layer normalisation: y = γ·(x − mean)/√(variance + ε) + β over each row.
struct LayerNorm: Sendable {
    let gain: FrozenTensor
    let shift: FrozenTensor
    let epsilon: Float

    /// The values of a batch that its gradient needs.
    struct Trace {
        /// (rows × width): the normalised rows.
        let normal: FloatBlock
        /// (rows): 1/√(variance + ε).
        let scale: FloatBlock

        init(rows: Int, width: Int) {
            normal = FloatBlock(count: rows * width)
            scale = FloatBlock(count: rows)
        }
    }

    /// output ← the normalised sum of `input`, `bias` and `residual`.
    ///
    /// - Precondition: all have the same shape, and their rows are contiguous; `output` may be `residual`.
    func forward(
        _ input: MatrixView, bias: FrozenTensor? = nil, residual: MatrixView? = nil, into output: MutableMatrixView,
        trace: Trace
    ) {
        let width = input.columns
        guard let normals = trace.normal.floats.baseAddress else { return }
        for row in 0..<input.rows {
            let normal = normals + row * width
            normal.update(from: input.base + row * input.stride, count: width)
            if let bias = bias?.floats.baseAddress {
                for column in 0..<width { normal[column] += bias[column] }
            }
            if let residual {
                let source = residual.base + row * residual.stride
                for column in 0..<width { normal[column] += source[column] }
            }
            let mean = RowArithmetic.sum(normal, width) / Float(width)
            for column in 0..<width { normal[column] -= mean }
            let variance = RowArithmetic.dot(normal, normal, width) / Float(width)
            let scale = 1 / (variance + epsilon).squareRoot()
            trace.scale.floats[row] = scale
            let target = output.base + row * output.stride
            guard let gains = gain.floats.baseAddress, let shifts = shift.floats.baseAddress else { return }
            for column in 0..<width {
                normal[column] *= scale
                target[column] = normal[column] * gains[column] + shifts[column]
            }
        }
    }

    /// Replaces the output's gradient by the gradient of the input sum.
    ///
    /// With g = γ·∂y and n the normalised row: ∂x = (g − mean(g) − n·mean(g·n))/√(variance + ε).
    func backward(_ gradient: MutableMatrixView, trace: Trace) {
        let width = gradient.columns
        guard let normals = trace.normal.floats.baseAddress, let gains = gain.floats.baseAddress else { return }
        for row in 0..<gradient.rows {
            let values = gradient.base + row * gradient.stride
            let normal = normals + row * width
            for column in 0..<width { values[column] *= gains[column] }
            let mean = RowArithmetic.sum(values, width) / Float(width)
            let slope = RowArithmetic.dot(values, normal, width) / Float(width)
            let scale = trace.scale.floats[row]
            for column in 0..<width { values[column] = (values[column] - mean - normal[column] * slope) * scale }
        }
    }
}
