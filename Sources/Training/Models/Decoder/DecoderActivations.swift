import LinearAlgebra
import ModelFiles

/// What one layer computes from a batch and needs again for its gradients. Layers whose activations are not kept use one
/// of these in turn.
final class DecoderActivations {
    /// (rows × hidden): the inputs of attention and feed-forward part, normalised, and the sum between the two.
    let attentionInput: FloatBlock
    let middle: FloatBlock
    let feedForwardInput: FloatBlock
    /// (rows × attentionWidth): queries, keys and values.
    let heads: FloatBlock
    /// (rows × queryWidth + keyValueWidth): queries and keys before their norms, where the model has them.
    let plainHeads: FloatBlock
    /// (rows × queryWidth)
    let context: FloatBlock
    /// (rows × gateWidth) and (rows × intermediate): before and after the activation.
    let gates: FloatBlock
    let intermediate: FloatBlock
    /// For each projection (rows × rank): x·Aᵀ.
    let hiddens: [FloatBlock]
    /// For each projection with DoRA (rows × outputs): the output before its scaling.
    let plains: [FloatBlock]

    /// What a layer's projections need.
    struct Widths: Hashable {
        var ranks: [Int]
        var plains: [Int]

        init(_ projections: [DecoderProjection]) {
            ranks = projections.map(\.rank)
            plains = projections.map(\.plainWidth)
        }

        init(_ layers: some Sequence<AdaptedLayer>) {
            ranks = layers.map { $0.lora?.rank ?? 0 }
            plains = layers.map { $0.magnitude == nil ? 0 : $0.outputs }
        }

        /// The wider of each of several layers'.
        init(widest layers: [Widths]) {
            self = layers[0]
            for layer in layers.dropFirst() {
                ranks = zip(ranks, layer.ranks).map(max)
                plains = zip(plains, layer.plains).map(max)
            }
        }
    }

    init(_ configuration: ModelConfiguration, _ widths: Widths, rows: Int) {
        attentionInput = FloatBlock(count: rows * configuration.hidden)
        middle = FloatBlock(count: rows * configuration.hidden)
        feedForwardInput = FloatBlock(count: rows * configuration.hidden)
        heads = FloatBlock(count: rows * configuration.attentionWidth)
        plainHeads = FloatBlock(
            count: configuration.hasQueryKeyNorm ? rows * (configuration.queryWidth + configuration.keyValueWidth) : 0)
        context = FloatBlock(count: rows * configuration.queryWidth)
        gates = FloatBlock(count: rows * configuration.gateWidth)
        intermediate = FloatBlock(count: rows * configuration.intermediate)
        hiddens = widths.ranks.map { FloatBlock(count: rows * $0) }
        plains = widths.plains.map { FloatBlock(count: rows * $0) }
    }

    /// The count of a row's numbers.
    static func width(_ configuration: ModelConfiguration, _ widths: Widths) -> Int {
        let normed = configuration.hasQueryKeyNorm ? configuration.queryWidth + configuration.keyValueWidth : 0
        return 3 * configuration.hidden + configuration.attentionWidth + normed + configuration.queryWidth
            + configuration.gateWidth + configuration.intermediate + widths.ranks.reduce(0, +)
            + widths.plains.reduce(0, +)
    }
}
