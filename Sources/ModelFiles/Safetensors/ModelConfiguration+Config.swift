package import StrictJSON

extension ModelConfiguration {
    /// - Parameters:
    ///   - config: a folder's `config.json`. Where a key is missing, transformers' default holds.
    ///   - file: the file's name for errors.
    package init(config: JSONNode, file: String) throws(ModelFileError) {
        let keys = ConfigReader(config, file: file)
        let kind = try keys.text("model_type") ?? ""
        guard let architecture = kind == "mistral" ? .llama : Architecture(rawValue: kind) else {
            let known = Self.modelTypes.map(\.jsonQuoted).joined(separator: ", ")
            throw .configuration(
                file: file,
                reason: "model_type is \(config["model_type"]?.summary ?? "missing"); expected one of \(known)")
        }
        try keys.refuse("quantization_config", reason: "weights quantised by transformers are not read")
        if architecture == .gpt2 { self = try Self.gpt2(keys) } else { self = try Self.llama(architecture, kind, keys) }
        endOfText = keys.tokens("eos_token_id").first { $0 < vocabulary }
        if let fault { throw .configuration(file: file, reason: fault) }
    }

    private static func llama(
        _ architecture: Architecture, _ kind: String, _ keys: ConfigReader
    ) throws(ModelFileError) -> ModelConfiguration {
        let hidden = try keys.required("hidden_size")
        let heads = try keys.required("num_attention_heads")
        let (context, shared): (Int, Int) =
            switch kind {
            case "llama": (2_048, heads)
            case "mistral": (131_072, 8)
            default: (32_768, 32)
            }
        let positions = try keys.count("max_position_embeddings") ?? context
        var headWidth = try keys.count("head_dim")
        if headWidth == nil, architecture == .qwen3 { headWidth = 128 }
        if headWidth == nil {
            guard hidden.isMultiple(of: heads) else {
                throw .configuration(file: keys.file, reason: "\(heads) heads do not divide a hidden size of \(hidden)")
            }
            headWidth = hidden / heads
        }
        try keys.expect("hidden_act", "silu")
        let bias: Bool =
            switch architecture {
            case .qwen2: true
            default: try keys.flag("attention_bias") ?? false
            }
        let width = headWidth ?? 0
        guard width.isMultiple(of: 2), (2...4_096).contains(width) else {
            throw .configuration(
                file: keys.file, reason: "the width of a head is \(width); expected an even number from 2 to 4096")
        }
        return ModelConfiguration(
            architecture: architecture, vocabulary: try keys.required("vocab_size"), hidden: hidden,
            layers: try keys.required("num_hidden_layers"), heads: heads,
            keyValueHeads: try keys.count("num_key_value_heads") ?? shared, headWidth: width,
            intermediate: try keys.required("intermediate_size"), context: positions,
            slidingWindow: try slidingWindow(kind, keys), normEpsilon: Float(try keys.number("rms_norm_eps") ?? 1e-6),
            rotary: try keys.rotary(headWidth: width, context: positions),
            isTied: try keys.flag("tie_word_embeddings") ?? false, hasQueryKeyValueBias: bias,
            hasAttentionOutputBias: architecture == .qwen2 ? false : bias,
            hasFeedForwardBias: try keys.flag("mlp_bias") ?? false)
    }

    private static func slidingWindow(_ kind: String, _ keys: ConfigReader) throws(ModelFileError) -> Int? {
        if case .array(let types)? = keys["layer_types"] {
            for type in types where type != .string("full_attention") {
                throw .configuration(
                    file: keys.file, reason: "layer_types has \(type.summary); expected \"full_attention\" alone")
            }
        }
        if kind == "mistral" { return try keys.count("sliding_window") }
        if try keys.flag("use_sliding_window") ?? false {
            throw .configuration(file: keys.file, reason: "use_sliding_window is true; expected false")
        }
        return nil
    }

    private static func gpt2(_ keys: ConfigReader) throws(ModelFileError) -> ModelConfiguration {
        let hidden = try keys.required("n_embd")
        let heads = try keys.required("n_head")
        guard hidden.isMultiple(of: heads) else {
            throw .configuration(file: keys.file, reason: "\(heads) heads do not divide a hidden size of \(hidden)")
        }
        try keys.expect("activation_function", "gelu_new")
        for (key, expected) in [
            ("scale_attn_weights", true), ("scale_attn_by_inverse_layer_idx", false), ("add_cross_attention", false),
        ] {
            if let found = try keys.flag(key), found != expected {
                throw .configuration(file: keys.file, reason: "\(key) is \(found); expected \(expected)")
            }
        }
        return ModelConfiguration(
            architecture: .gpt2, vocabulary: try keys.required("vocab_size"), hidden: hidden,
            layers: try keys.required("n_layer"), heads: heads, keyValueHeads: heads, headWidth: hidden / heads,
            intermediate: try keys.count("n_inner") ?? 4 * hidden, context: try keys.count("n_positions") ?? 1_024,
            slidingWindow: nil, normEpsilon: Float(try keys.number("layer_norm_epsilon") ?? 1e-5), rotary: nil,
            isTied: try keys.flag("tie_word_embeddings") ?? true, hasQueryKeyValueBias: true,
            hasAttentionOutputBias: true, hasFeedForwardBias: true)
    }
}
