import LinearAlgebra

/// A frozen normalisation of a decoder: by the root mean square, or a layer normalisation with its shift.
struct DecoderNorm: Sendable {
    let gain: FrozenTensor
    /// Only a layer normalisation has it.
    let shift: FrozenTensor?
    let epsilon: Float

    /// - Precondition: `output` has the input's shape; it may be the input.
    func forward(_ input: MatrixView, into output: MutableMatrixView) {
        RowNorm.apply(
            input, isCentred: shift != nil, gain: gain.floats, shift: shift?.floats, epsilon: epsilon, into: output)
    }

    /// Adds the gradient of the input to `target`. The output's gradient is used as scratch memory.
    func backward(_ gradient: MutableMatrixView, input: MatrixView, addingTo target: MutableMatrixView) {
        RowNorm.propagate(
            gradient, input: input, isCentred: shift != nil, gain: gain.floats, epsilon: epsilon, addingTo: target)
    }
}
