import LinearAlgebra

/// What an adapter adds to a frozen projection, laid out for scoring: x·(s·Aᵀ)·Bᵀ.
struct BertScoringFactors: Sendable {
    /// (inputs × rank): s·Aᵀ.
    let down: FrozenTensor
    /// (rank × outputs): Bᵀ.
    let up: FrozenTensor

    var rank: Int { up.shape[0] }

    /// - Returns: nil where the adapter has none for this layer.
    init?(_ layer: AdaptedLayer) {
        guard let lora = layer.lora else { return nil }
        let (a, turned) = (lora.a.matrix, FloatBlock(count: layer.inputs * lora.rank))
        DirectProduct.transpose(a, into: turned.matrix(rows: a.columns, columns: a.rows))
        for index in turned.floats.indices { turned.floats[index] *= lora.scale }
        down = FrozenTensor(shape: [a.columns, a.rows], block: turned)
        up = FrozenTensor(shape: [lora.rank, layer.outputs], block: lora.b.values)
    }
}
