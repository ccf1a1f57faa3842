/// The normalisation of every row of a matrix, and the gradient through it: layer normalisation, or that by the root mean
/// square (RMSNorm, Zhang and Sennrich, arXiv 1910.07467), which subtracts no mean.
///
/// Allocates nothing; O(rows × columns). A row's mean and scale are computed again for the gradient, so nothing is kept.
package enum RowNorm {
    /// output ← γ·(x − mean)/√(variance + ε) + β, row by row. Without centring the mean counts as zero.
    ///
    /// - Precondition: both matrices have one shape, and `gain` and `shift` are as long as a row. `output` may be `input`.
    package static func apply(
        _ input: MatrixView, isCentred: Bool, gain: UnsafeBufferPointer<Float>,
        shift: UnsafeBufferPointer<Float>? = nil,
        epsilon: Float, into output: MutableMatrixView
    ) {
        check(input, output, gain, shift)
        guard let gain = gain.baseAddress else { return }
        for row in 0..<input.rows {
            let (source, target) = (input.base + row * input.stride, output.base + row * output.stride)
            let (mean, scale) = statistics(source, input.columns, isCentred: isCentred, epsilon: epsilon)
            for column in 0..<input.columns { target[column] = (source[column] - mean) * scale * gain[column] }
            if let shift = shift?.baseAddress { RowArithmetic.add(shift, to: target, count: input.columns) }
        }
    }

    /// The gradient of the input from that of the output.
    ///
    /// With g = γ·∂y and n the normalised row: ∂x = (g − mean(g) − n·mean(g·n))/√(variance + ε); without centring the first
    /// mean is zero.
    ///
    /// - Parameters:
    ///   - gradient: the output's gradient; it becomes γ·∂y.
    ///   - input: the input of `apply`.
    ///   - target: ∂x is added to it.
    package static func propagate(
        _ gradient: MutableMatrixView, input: MatrixView, isCentred: Bool, gain: UnsafeBufferPointer<Float>,
        epsilon: Float,
        addingTo target: MutableMatrixView
    ) {
        check(input, gradient, gain, nil)
        check(input, target, gain, nil)
        guard let gain = gain.baseAddress else { return }
        let width = input.columns
        for row in 0..<input.rows {
            let (source, slopes) = (input.base + row * input.stride, gradient.base + row * gradient.stride)
            let sum = target.base + row * target.stride
            let (mean, scale) = statistics(source, width, isCentred: isCentred, epsilon: epsilon)
            for column in 0..<width { slopes[column] *= gain[column] }
            let average = isCentred ? RowArithmetic.sum(slopes, width) / Float(width) : 0
            // Σ g·(x − mean)
            let product = RowArithmetic.dot(slopes, source, width) - mean * average * Float(width)
            let slope = product / Float(width) * scale * scale
            for column in 0..<width {
                sum[column] += (slopes[column] - average - (source[column] - mean) * slope) * scale
            }
        }
    }

    /// The mean of a row, and 1/√(variance + ε).
    @inline(__always)
    private static func statistics(
        _ row: UnsafePointer<Float>, _ count: Int, isCentred: Bool, epsilon: Float
    ) -> (mean: Float, scale: Float) {
        let mean = isCentred ? RowArithmetic.sum(row, count) / Float(count) : 0
        let whole = count - count % FloatVector.scalarCount
        var sums = FloatVector(repeating: 0)
        for column in stride(from: 0, to: whole, by: FloatVector.scalarCount) {
            let difference = FloatVector.load(row + column) - mean
            sums += difference * difference
        }
        var square = sums.sum()
        for column in whole..<count { square += (row[column] - mean) * (row[column] - mean) }
        return (mean, 1 / (square / Float(count) + epsilon).squareRoot())
    }

    private static func check(
        _ input: MatrixView, _ output: MutableMatrixView, _ gain: UnsafeBufferPointer<Float>,
        _ shift: UnsafeBufferPointer<Float>?
    ) {
        precondition(
            output.rows == input.rows && output.columns == input.columns && gain.count == input.columns
                && (shift?.count ?? input.columns) == input.columns,
            "rows of \(input.columns), \(output.columns) and \(gain.count)")
    }
}
