import LinearAlgebra

/// The few weights of one linear layer that a sparse stage trains, as differences from the frozen weights.
struct SparseLayer {
    let mask: SparseMask
    /// (1 × kept): W − W₀ at the mask's indices.
    let delta: TrainedTensor
    /// W₀ at the mask's indices.
    private let frozen: [Float]
    /// (outputs × inputs): the layer's weights, the delta included.
    private let weight: FloatBlock
    private let inputs: Int

    /// Adds `delta` to the layer's weights; `apply` keeps them up to date.
    ///
    /// - Precondition: the mask has this layer's shape, and `delta` has a number for each of its indices.
    init(mask: SparseMask, delta: [Float], weight: FloatBlock, inputs: Int) {
        self.mask = mask
        self.delta = TrainedTensor(delta, rows: 1, columns: mask.indices.count)
        self.weight = weight
        self.inputs = inputs
        frozen = mask.indices.map { weight.floats[$0] }
        apply()
    }

    private init(mask: SparseMask, delta: TrainedTensor, frozen: [Float], weight: FloatBlock, inputs: Int) {
        self.mask = mask
        self.delta = delta
        self.frozen = frozen
        self.weight = weight
        self.inputs = inputs
    }

    /// Computes the delta's gradient: Σ over the batch of ∂y·x, for the kept weights.
    ///
    /// - Parameters:
    ///   - gradient: the gradient of the layer's output (batch × outputs); `input` is (batch × inputs).
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

    /// Computes the delta's gradient from that of all weights (outputs × inputs).
    func collect(weightGradient: MatrixView) {
        for (position, index) in mask.indices.enumerated() {
            delta.gradient.floats[position] = weightGradient.base[index]
        }
    }

    /// The same weights with a gradient of their own, for another part of the batch.
    var replica: SparseLayer {
        SparseLayer(mask: mask, delta: delta.replica, frozen: frozen, weight: weight, inputs: inputs)
    }

    /// Writes W₀ + delta to the layer's weights.
    func apply() {
        for (position, index) in mask.indices.enumerated() {
            weight.floats[index] = frozen[position] + delta.values.floats[position]
        }
    }
}
