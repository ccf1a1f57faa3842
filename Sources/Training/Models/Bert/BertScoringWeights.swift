import LinearAlgebra

/// A BERT encoder's frozen weights in the layout for scoring, shared by all adapters and threads.
struct BertScoringWeights: Sendable {
    /// The layers after the attention.
    struct Dense: Sendable {
        let attentionOutput: PackedWeight
        let attentionNorm: LayerNorm
        let intermediate: PackedWeight
        let intermediateBias: FrozenTensor
        let output: PackedWeight
        let outputNorm: LayerNorm

        fileprivate init(_ layer: BertEncoder.Layer, keepsRowsApart: Bool) {
            func packed(_ weight: FrozenTensor, _ bias: FrozenTensor) -> PackedWeight {
                PackedWeight([weight.matrix], biases: [bias.floats], keepsRowsApart: keepsRowsApart)
            }
            attentionOutput = packed(layer.attentionOutput, layer.attentionOutputBias)
            attentionNorm = layer.attentionNorm
            intermediate = packed(layer.intermediate, layer.intermediateBias)
            intermediateBias = layer.intermediateBias
            output = packed(layer.output, layer.outputBias)
            outputNorm = layer.outputNorm
        }
    }

    /// An encoder layer with a query for every row.
    struct Layer: Sendable {
        /// Queries, keys and values.
        let projections: PackedWeight
        let dense: Dense
    }

    /// The last layer, with a query for each text's first row alone, because only this row is pooled. Multiplying the
    /// query and the weighted sum of the rows by the weights is cheaper than multiplying all rows. Rows of several
    /// adapters are processed together but kept separate, so that large numbers of one adapter do not affect the
    /// rounding of another's.
    struct LastLayer: Sendable {
        let query: PackedWeight
        /// (outputs × inputs). The keys' bias shifts all attention weights of a query equally, so it has no effect.
        let key: FrozenTensor
        /// (inputs × outputs)
        let value: FrozenTensor
        let valueBias: FrozenTensor
        let dense: Dense
    }

    /// All but the last.
    let layers: [Layer]
    let last: LastLayer
    let pooler: PackedWeight

    /// - Parameter adapted: query, key and value of every layer, of any adapter. Their frozen parts, including merges,
    ///   are the same for all.
    init(_ encoder: BertEncoder, adapted: [AdaptedLayer], parts: BatchParts) {
        func packed(_ weight: FrozenTensor, _ bias: FrozenTensor) -> PackedWeight {
            PackedWeight([weight.matrix], biases: [bias.floats], keepsRowsApart: true)
        }
        func projections(of index: Int) -> [FrozenTensor] { adapted[3 * index..<3 * index + 3].map(\.frozen.weight) }
        layers = parts.map(encoder.layers.count - 1) { index in
            let layer = encoder.layers[index]
            return Layer(
                projections: PackedWeight(
                    projections(of: index).map(\.matrix), biases: layer.biases.map(\.floats)),
                dense: Dense(layer, keepsRowsApart: false))
        }
        let (layer, weights) = (encoder.layers[encoder.layers.count - 1], projections(of: encoder.layers.count - 1))
        last = LastLayer(
            query: packed(weights[0], layer.biases[0]), key: weights[1], value: weights[2].transposed,
            valueBias: layer.biases[2], dense: Dense(layer, keepsRowsApart: true))
        pooler = packed(encoder.pooler, encoder.poolerBias)
    }
}

extension FrozenTensor {
    /// A copy of a matrix, transposed.
    fileprivate var transposed: FrozenTensor {
        let transposed = FloatBlock(count: block.floats.count)
        SmallMatrixProduct.transpose(matrix, into: transposed.matrix(rows: matrix.columns, columns: matrix.rows))
        return FrozenTensor(shape: [matrix.columns, matrix.rows], block: transposed)
    }
}
