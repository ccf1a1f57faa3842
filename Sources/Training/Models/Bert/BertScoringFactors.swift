import LinearAlgebra

/// An adapter's addition to a frozen projection, in the layout for scoring: x·(s·Aᵀ)·Bᵀ.
struct BertScoringFactors: Sendable {
    /// (inputs × rank): s·Aᵀ.
    let down: FrozenTensor
    /// (rank × outputs): Bᵀ.
    let up: FrozenTensor

    var rank: Int { up.shape[0] }

    /// - Returns: nil where the adapter has no factors for this layer.
    init?(_ layer: AdaptedLayer) {
        guard let lora = layer.lora else { return nil }
        let (a, transposed) = (lora.a.matrix, FloatBlock(count: layer.inputs * lora.rank))
        SmallMatrixProduct.transpose(a, into: transposed.matrix(rows: a.columns, columns: a.rows))
        for index in transposed.floats.indices { transposed.floats[index] *= lora.scale }
        down = FrozenTensor(shape: [a.columns, a.rows], block: transposed)
        up = FrozenTensor(shape: [lora.rank, layer.outputs], block: lora.b.values)
    }
}
