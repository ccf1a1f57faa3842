import LinearAlgebra

/// A BERT encoder's frozen weights as scoring takes them, shared by all adapters and threads.
struct BertScoringWeights: Sendable {
    /// One encoder layer: what each part takes a row of (hidden) numbers through.
    struct Layer: Sendable {
        let query: PackedWeight
        /// Keys, then values.
        let keyValue: PackedWeight
        let joined: PackedWeight
        let attentionNorm: LayerNorm
        let widened: PackedWeight
        let widenedBias: FrozenTensor
        let narrowed: PackedWeight
        let outputNorm: LayerNorm
    }

    let layers: [Layer]
    let pooler: PackedWeight

    /// - Parameter adapted: query, key and value of every layer, of any adapter: what is frozen in them, merges included, is
    ///   the same for all.
    init(_ encoder: BertEncoder, adapted: [AdaptedLayer]) {
        func packed(_ weight: FrozenTensor, _ bias: FrozenTensor) -> PackedWeight {
            PackedWeight([weight.matrix], biases: [bias.floats])
        }
        layers = encoder.layers.enumerated().map { index, layer in
            let projections = adapted[3 * index..<3 * index + 3].map(\.frozen.weight)
            return Layer(
                query: packed(projections[0], layer.biases[0]),
                keyValue: PackedWeight(
                    projections[1...].map(\.matrix), biases: layer.biases[1...].map(\.floats)),
                joined: packed(layer.joined, layer.joinedBias), attentionNorm: layer.attentionNorm,
                widened: packed(layer.widened, layer.widenedBias), widenedBias: layer.widenedBias,
                narrowed: packed(layer.narrowed, layer.narrowedBias), outputNorm: layer.outputNorm)
        }
        pooler = packed(encoder.pooler, encoder.poolerBias)
    }
}
