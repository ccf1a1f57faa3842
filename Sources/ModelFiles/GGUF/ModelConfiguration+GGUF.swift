extension ModelConfiguration {
    /// From GGUF's metadata; biases and tied embeddings by the tensors that the file has.
    package init(_ file: GGUFFile) throws(ModelFileError) {
        if let type = try file.text("general.type"), type != "model" {
            throw file.refusal("general.type", expected: "\"model\"")
        }
        if let count = try file.count("split.count"), count > 1 {
            throw file.refusal("split.count", expected: "1, a model in one file")
        }
        let kind = try file.text("general.architecture") ?? ""
        guard let architecture = Architecture(rawValue: kind) else {
            let known = Architecture.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", ")
            throw file.refusal("general.architecture", expected: "one of \(known)")
        }
        if let version = try file.count("general.quantization_version"), version != 2 {
            throw file.refusal("general.quantization_version", expected: "2")
        }
        if let experts = try file.count(kind + ".expert_count"), experts > 0 {
            throw file.refusal(kind + ".expert_count", expected: "0, a model without experts")
        }
        self = try Self.sizes(file, architecture, kind + ".")
        let vocabulary = vocabulary
        endOfText = try file.count("tokenizer.ggml.eos_token_id").flatMap { $0 < vocabulary ? $0 : nil }
        if let fault { throw .configuration(file: file.path, reason: fault) }
    }

    private static func sizes(
        _ file: GGUFFile, _ architecture: Architecture, _ prefix: String
    ) throws(ModelFileError) -> ModelConfiguration {
        let names = Set(file.tensors.map(\.name))
        let hidden = try file.required(prefix + "embedding_length")
        let heads = try file.requiredForAllLayers(prefix + "attention.head_count")
        let shared = prefix + "attention.head_count_kv"
        let keyValueHeads = file.metadata[shared] == nil ? heads : try file.requiredForAllLayers(shared)
        let context = try file.required(prefix + "context_length")
        let headWidth = try headWidth(file, prefix, hidden: hidden, heads: heads)
        guard let embedding = file.tensors.first(where: { $0.name == "token_embd.weight" }) else {
            throw .missingTensor(file: file.path, tensor: "token_embd.weight", shape: [0, hidden])
        }
        let isGPT2 = architecture == .gpt2
        return ModelConfiguration(
            architecture: architecture, vocabulary: embedding.shape[0], hidden: hidden,
            layers: try file.required(prefix + "block_count"), heads: heads, keyValueHeads: keyValueHeads,
            headWidth: headWidth, intermediate: try file.requiredForAllLayers(prefix + "feed_forward_length"),
            context: context,
            slidingWindow: try file.count(prefix + "attention.sliding_window").flatMap { $0 == 0 ? nil : $0 },
            normEpsilon: Float(
                try file.number(prefix + "attention.layer_norm" + (isGPT2 ? "_epsilon" : "_rms_epsilon")) ?? 1e-5),
            rotary: isGPT2 ? nil : try rotary(file, prefix, headWidth: headWidth, context: context),
            isTied: !names.contains("output.weight"),
            hasQueryKeyValueBias: isGPT2 || names.contains("blk.0.attn_q.bias"),
            hasAttentionOutputBias: isGPT2 || names.contains("blk.0.attn_output.bias"),
            hasFeedForwardBias: isGPT2 || names.contains("blk.0.ffn_up.bias"))
    }

    private static func headWidth(
        _ file: GGUFFile, _ prefix: String, hidden: Int, heads: Int
    ) throws(ModelFileError) -> Int {
        guard hidden.isMultiple(of: heads) || file.metadata[prefix + "attention.key_length"] != nil else {
            throw .configuration(file: file.path, reason: "\(heads) heads do not divide a hidden size of \(hidden)")
        }
        let width = try file.count(prefix + "attention.key_length") ?? hidden / heads
        guard 1...4_096 ~= width else {
            throw file.refusal(prefix + "attention.key_length", expected: "a whole number from 1 to 4096")
        }
        for (key, what) in [("attention.value_length", "as wide as a key"), ("rope.dimension_count", "the whole head")]
        {
            if let found = try file.count(prefix + key), found != width {
                throw file.refusal(prefix + key, expected: "\(width), \(what)")
            }
        }
        return width
    }

    private static func rotary(
        _ file: GGUFFile, _ prefix: String, headWidth: Int, context: Int
    ) throws(ModelFileError) -> RotaryEmbedding {
        guard headWidth.isMultiple(of: 2) else {
            throw .configuration(
                file: file.path,
                reason: "a head is \(headWidth) wide; expected an even width, because numbers turn in pairs")
        }
        let base = try file.positive(prefix + "rope.freq_base") ?? 10_000
        return RotaryEmbedding(
            base: base, headWidth: headWidth,
            scaling: try scaling(file, prefix, headWidth: headWidth, context: context))
    }

    private static func scaling(
        _ file: GGUFFile, _ prefix: String, headWidth: Int, context: Int
    ) throws(ModelFileError) -> RotaryEmbedding.Scaling {
        if let tensor = file.tensors.first(where: { $0.name == "rope_freqs.weight" }) {
            guard tensor.shape == [headWidth / 2] else {
                throw .shape(file: file.path, tensor: tensor.name, expected: [headWidth / 2], found: tensor.shape)
            }
            let factors = file.tensor(tensor, name: tensor.name, order: .plain).floats()
            guard factors.allSatisfy({ $0 > 0 && $0.isFinite }) else {
                throw .configuration(file: file.path, reason: "rope_freqs.weight has a factor that is not above 0")
            }
            return .factors(factors)
        }
        let key = prefix + "rope.scaling."
        let factor = try file.positive(key + "factor", prefix + "rope.scale_linear") ?? 1
        switch try file.text(key + "type") ?? (factor == 1 ? "none" : "linear") {
        case "none": return .none
        case "linear": return factor == 1 ? .none : .linear(factor: factor)
        case "yarn":
            let attention = try file.positive(key + "yarn_attn_factor", key + "attn_factor") ?? 1
            return .yarn(
                factor: factor, fast: try file.positive(key + "yarn_beta_fast") ?? 32,
                slow: try file.positive(key + "yarn_beta_slow") ?? 1,
                context: try file.positive(key + "original_context_length") ?? Double(context), truncates: true,
                magnitude: attention * RotaryEmbedding.yarnMagnitude(factor, scale: 1))
        default: throw file.refusal(key + "type", expected: "\"none\", \"linear\" or \"yarn\"")
        }
    }
}
