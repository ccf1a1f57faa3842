import LinearAlgebra

/// The few weights of one linear layer that a sparse stage trains, as what they differ from the frozen ones.
struct SparseLayer {
    let mask: SparseMask
    /// (1 × kept): W − W₀ at the mask's indices.
    let delta: TrainedTensor
    /// W₀ at the mask's indices.
    private let frozen: [Float]
    /// (outputs × inputs): the layer's weights, which the delta is a part of.
    private let weight: FloatBlock
    private let inputs: Int

    /// Adds `delta` to the layer's weights, which then follow it.
    ///
    /// - Precondition: the mask is of this layer's sides, and `delta` has a number for each of its indices.
    init(mask: SparseMask, delta: [Float], weight: FloatBlock, inputs: Int) {
        self.mask = mask
        self.delta = TrainedTensor(delta, rows: 1, columns: mask.indices.count)
        self.weight = weight
        self.inputs = inputs
        frozen = mask.indices.map { weight.floats[$0] }
        apply()
    }

    /// Fills the delta's gradient: of the kept weights, Σ over the batch of ∂y·x.
    ///
    /// - Parameters:
    ///   - gradient: of the layer's output (batch × outputs); `input` is (batch × inputs).
    func collect(_ gradient: MatrixView, input: MatrixView) {
        for (position, index) in mask.indices.enumerated() {
            let (output, column) = index.quotientAndRemainder(dividingBy: inputs)
            var sum: Float = 0
            for row in 0..<gradient.rows {
                sum += gradient.base[row * gradient.stride + output] * input.base[row * input.stride + column]
            }
            delta.gradient.floats[position] = sum
        }
    }

    func descend(rate: Float, momentum: Float) {
        delta.descend(rate: rate, momentum: momentum)
        apply()
    }

    private func apply() {
        for (position, index) in mask.indices.enumerated() {
            weight.floats[index] = frozen[position] + delta.values.floats[position]
        }
    }
}
