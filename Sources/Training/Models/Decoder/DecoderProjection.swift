import LinearAlgebra

/// A linear layer of a decoder with its adapter.
struct DecoderProjection {
    let layer: AdaptedLayer
    let rows: any RowReader
    let bias: FrozenTensor?
    /// Its place among the columns of an output that it may share with others.
    let columns: Range<Int>

    init(_ layer: AdaptedLayer, _ weights: DecoderWeights.Projection) {
        self.layer = layer
        rows = layer.frozen.rows
        bias = weights.bias
        columns = weights.columns
    }

    /// Whether its factors are trained.
    var isTrained: Bool { layer.isTrained && layer.lora != nil }
    var rank: Int { layer.lora?.rank ?? 0 }
}
