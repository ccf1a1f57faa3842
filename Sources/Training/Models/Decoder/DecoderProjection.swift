import LinearAlgebra

/// A linear layer of a decoder with its adapter.
struct DecoderProjection {
    let layer: AdaptedLayer
    let rows: any RowReader
    let bias: FrozenTensor?
    /// Where the adapter is DoRA.
    let directions: WeightDirections?
    /// Its place among the columns of an output that it may share with others.
    let columns: Range<Int>

    init(_ layer: AdaptedLayer, _ weights: DecoderWeights.Projection) {
        self.layer = layer
        rows = layer.frozen.rows
        bias = weights.bias
        columns = weights.columns
        directions = layer.lora.flatMap { lora in layer.magnitude.map { WeightDirections($0, rank: lora.rank) } }
    }

    /// Whether its factors are trained.
    var isTrained: Bool { layer.isTrained && layer.lora != nil }
    /// The count of a row's outputs that DoRA keeps before it scales them.
    var plainWidth: Int { directions == nil ? 0 : layer.outputs }
    var rank: Int { layer.lora?.rank ?? 0 }
}
