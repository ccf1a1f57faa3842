import LinearAlgebra
import ModelFiles

/// The frozen weights of a decoder. Its matrices stay in their file; vectors are floats.
struct DecoderWeights: Sendable {
    /// A linear layer, with its place among the columns of an output that it may share with others.
    struct Projection: Sendable {
        var layer: FrozenLayer
        let bias: FrozenTensor?
        let columns: Range<Int>
    }

    struct Layer: Sendable {
        let attentionNorm: DecoderNorm
        /// Query, key and value, or one projection that gives all three.
        let attentionInputs: [Projection]
        /// The norms of each head's query and key, where the model has them.
        let headNorms: (query: DecoderNorm, key: DecoderNorm)?
        let attentionOutput: Projection
        let feedForwardNorm: DecoderNorm
        /// Gate and up, or one projection.
        let feedForwardInputs: [Projection]
        let feedForwardOutput: Projection

        /// In the order in which data meets them.
        var projections: [Projection] {
            attentionInputs + [attentionOutput] + feedForwardInputs + [feedForwardOutput]
        }
    }

    let configuration: ModelConfiguration
    /// (vocabulary × hidden)
    let embeddings: any RowReader
    /// (context × hidden), where positions are learned.
    let positions: (any RowReader)?
    let layers: [Layer]
    let finalNorm: DecoderNorm
    /// (vocabulary × hidden); the embeddings where they are tied.
    let head: any RowReader

    init(_ file: ModelFile) throws(TrainingError) {
        let reader = DecoderReader(file: file)
        configuration = file.configuration
        let isGPT2 = configuration.architecture == .gpt2
        embeddings = try reader.tensor(isGPT2 ? "transformer.wte" : "model.embed_tokens")
        positions = isGPT2 ? try reader.tensor("transformer.wpe") : nil
        var layers: [Layer] = []
        for index in 0..<configuration.layers {
            layers.append(try isGPT2 ? reader.gpt2Layer(index) : reader.llamaLayer(index))
        }
        self.layers = layers
        finalNorm = try reader.norm(isGPT2 ? "transformer.ln_f" : "model.norm")
        head = try reader.tensor("lm_head")
    }
}

extension DecoderWeights {
    /// Writes the embeddings of tokens, and of their positions where these are learned: (tokens × hidden).
    func embed(_ tokens: [Int32], positions: [Int], _ block: FloatBlock) {
        let target = block.matrix(rows: tokens.count, columns: configuration.hidden)
        for (row, token) in tokens.enumerated() {
            embeddings.read(rows: Int(token)..<Int(token) + 1, into: target.base + row * target.stride)
        }
        guard let learned = self.positions else { return }
        let values = FloatBlock(count: target.columns)
        withExtendedLifetime(values) {
            guard let base = values.floats.baseAddress else { return }
            for (row, position) in positions.enumerated() {
                learned.read(rows: position..<position + 1, into: base)
                RowArithmetic.add(base, to: target.base + row * target.stride, count: target.columns)
            }
        }
    }
}

/// Reads a decoder's parts by Hugging Face's names.
private struct DecoderReader {
    let file: ModelFile

    private var configuration: ModelConfiguration { file.configuration }

    func tensor(_ name: String, _ suffix: String = ".weight") throws(TrainingError) -> ModelTensor {
        guard let tensor = file.tensor(name + suffix) else {
            throw .model(file.path, reason: "it lacks \(name + suffix)")
        }
        return tensor
    }

    func vector(_ name: String, _ suffix: String) throws(TrainingError) -> FrozenTensor {
        let tensor = try tensor(name, suffix)
        let values = tensor.floats()
        guard values.allSatisfy(\.isFinite) else {
            throw .model(file.path, reason: "\(tensor.name) holds numbers that are not finite")
        }
        return FrozenTensor(shape: [values.count], values)
    }

    func norm(_ name: String) throws(TrainingError) -> DecoderNorm {
        DecoderNorm(
            gain: try vector(name, ".weight"),
            shift: configuration.architecture == .gpt2 ? try vector(name, ".bias") : nil,
            epsilon: configuration.normEpsilon)
    }

    /// - Parameter first: the column of the shared output where the projection's own begin.
    func projection(_ name: String, at first: Int = 0, hasBias: Bool) throws(TrainingError) -> DecoderWeights.Projection
    {
        let weight = try tensor(name)
        return DecoderWeights.Projection(
            layer: FrozenLayer(name: name, rows: weight), bias: hasBias ? try vector(name, ".bias") : nil,
            columns: first..<first + weight.rows)
    }

    func llamaLayer(_ index: Int) throws(TrainingError) -> DecoderWeights.Layer {
        let (attention, feedForward) = ("model.layers.\(index).self_attn.", "model.layers.\(index).mlp.")
        let (queries, keys) = (configuration.queryWidth, configuration.keyValueWidth)
        let (bias, plainBias) = (configuration.hasQueryKeyValueBias, configuration.hasFeedForwardBias)
        return DecoderWeights.Layer(
            attentionNorm: try norm("model.layers.\(index).input_layernorm"),
            attentionInputs: [
                try projection(attention + "q_proj", hasBias: bias),
                try projection(attention + "k_proj", at: queries, hasBias: bias),
                try projection(attention + "v_proj", at: queries + keys, hasBias: bias),
            ],
            headNorms: configuration.hasQueryKeyNorm
                ? (try norm(attention + "q_norm"), try norm(attention + "k_norm")) : nil,
            attentionOutput: try projection(attention + "o_proj", hasBias: configuration.hasAttentionOutputBias),
            feedForwardNorm: try norm("model.layers.\(index).post_attention_layernorm"),
            feedForwardInputs: [
                try projection(feedForward + "gate_proj", hasBias: plainBias),
                try projection(feedForward + "up_proj", at: configuration.intermediate, hasBias: plainBias),
            ],
            feedForwardOutput: try projection(feedForward + "down_proj", hasBias: plainBias))
    }

    func gpt2Layer(_ index: Int) throws(TrainingError) -> DecoderWeights.Layer {
        let layer = "transformer.h.\(index)."
        return DecoderWeights.Layer(
            attentionNorm: try norm(layer + "ln_1"),
            attentionInputs: [try projection(layer + "attn.c_attn", hasBias: true)],
            headNorms: nil,
            attentionOutput: try projection(layer + "attn.c_proj", hasBias: true),
            feedForwardNorm: try norm(layer + "ln_2"),
            feedForwardInputs: [try projection(layer + "mlp.c_fc", hasBias: true)],
            feedForwardOutput: try projection(layer + "mlp.c_proj", hasBias: true))
    }
}
