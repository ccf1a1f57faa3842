import CVectors

/// gelu(x) = x·Φ(x) of every number of a matrix, in place, where Φ is the normal distribution.
///
/// Allocates nothing; O(rows × columns).
package enum GELU {
    /// values ← gelu(values + bias), leaving the derivative in `derivative`, by vectors of eight floats on every processor.
    package static func apply(
        to values: MutableMatrixView, bias: UnsafeBufferPointer<Float>, derivative: MutableMatrixView
    ) {
        precondition(bias.count == values.columns && derivative.columns == values.columns, "a bias of another width")
        guard let bias = bias.baseAddress else { return }
        let (width, count) = (FloatVector.scalarCount, values.columns)
        let whole = count - count % width
        for row in 0..<values.rows {
            let (target, derivatives) = (values.base + row * values.stride, derivative.base + row * derivative.stride)
            for column in stride(from: 0, to: whole, by: width) {
                let result = value(FloatVector.load(target + column) + FloatVector.load(bias + column))
                FloatVector.store(result.value, to: target + column)
                FloatVector.store(result.derivative, to: derivatives + column)
            }
            if whole < count {
                let rest = count - whole
                let result = value(
                    FloatVector.load(target + whole, count: rest, filler: 0)
                        + FloatVector.load(bias + whole, count: rest, filler: 0))
                FloatVector.store(result.value, to: target + whole, count: rest)
                FloatVector.store(result.derivative, to: derivatives + whole, count: rest)
            }
        }
    }

    /// values ← gelu(values + bias) to 3e-7, on the widest vectors that the processor has: for scoring.
    /// - Precondition: the bias is as long as a row.
    package static func applyWidest(
        to values: MutableMatrixView, bias: UnsafeBufferPointer<Float>, width: KernelWidth = .widest
    ) {
        precondition(bias.count == values.columns, "a bias of \(bias.count) for rows of \(values.columns)")
        rows_gelu(width.storage, values.base, values.rows, values.columns, values.stride, bias.baseAddress)
    }

    /// x·Φ(x) and its derivative Φ(x) + x·φ(x), where Φ is the normal distribution, both to 3e-7.
    ///
    /// Φ comes from erfc(z) = e^(−z²)·t·P(t) with t = 1/(1 + 0.4·z), the form of Abramowitz and Stegun 7.1.26 with a
    /// polynomial of degree 5 fitted to an error of 3e-8 for z ≥ 0; the same e^(−z²) is in φ.
    @inline(__always)
    static func value(_ x: FloatVector) -> (value: FloatVector, derivative: FloatVector) {
        let z = x.replacing(with: -x, where: x .< 0) * 0.707_106_78
        let decay = FloatVector.exp(-(z * z))
        let t = 1 / (z * 0.4 + 1)
        var sum = t * -0.200_256_33 + 0.709_135_71
        sum = sum * t - 0.370_889_55
        sum = sum * t + 0.468_259_72
        sum = sum * t + 0.161_829_2
        sum = sum * t + 0.231_921_22
        let tail = sum * t * decay * 0.5
        let phi = tail.replacing(with: 1 - tail, where: x .>= 0)
        return (x * phi, phi + x * decay * 0.398_942_28)
    }
}
