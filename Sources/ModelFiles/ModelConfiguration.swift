/// The sizes of a causal language model, from `config.json` or from GGUF's metadata, checked for a supported model.
package struct ModelConfiguration: Sendable, Hashable {
    package enum Architecture: String, Sendable, Hashable, CaseIterable {
        /// Llama, and models of the same layers: SmolLM2, TinyLlama, Mistral.
        case llama
        /// Qwen 2 and 2.5.
        case qwen2
        case qwen3
        case gpt2
    }

    package var architecture: Architecture
    /// The number of token ids.
    package var vocabulary: Int
    package var hidden: Int
    package var layers: Int
    /// Query heads; each `queriesPerKey` of them share a key and value head.
    package var heads: Int
    package var keyValueHeads: Int
    package var headWidth: Int
    /// The width of the feed-forward layer.
    package var intermediate: Int
    /// The most positions that the model was made for.
    package var context: Int
    /// Where a token attends only to as many tokens, itself included; nil where it attends to all before it.
    package var slidingWindow: Int?
    /// Epsilon of RMSNorm, or of GPT-2's LayerNorm.
    package var normEpsilon: Float
    /// nil for GPT-2, which has learned positions.
    package var rotary: RotaryEmbedding?
    /// Whether the output layer's weight is the embedding's.
    package var isTied: Bool
    /// Whether query, key and value have biases.
    package var hasQueryKeyValueBias: Bool
    /// Whether the attention's output has a bias.
    package var hasAttentionOutputBias: Bool
    /// Whether the feed-forward layers have biases.
    package var hasFeedForwardBias: Bool
    /// The token that ends a text; nil where the file states none, or one beyond the vocabulary.
    package var endOfText: Int?
    /// Whether each query and key head is normalised (Qwen 3).
    package var hasQueryKeyNorm: Bool { architecture == .qwen3 }

    /// The values of `model_type` in a `config.json` that is read.
    package static var modelTypes: [String] { Architecture.allCases.map(\.rawValue) + ["mistral"] }

    package var queriesPerKey: Int { heads / keyValueHeads }
}

extension ModelConfiguration {
    /// The names and shapes of all tensors, by Hugging Face's names and with linear weights as (outputs × inputs).
    package var tensors: [(name: String, shape: [Int])] {
        architecture == .gpt2 ? gpt2Tensors : llamaTensors
    }

    private var llamaTensors: [(name: String, shape: [Int])] {
        var tensors: [(name: String, shape: [Int])] = [("model.embed_tokens.weight", [vocabulary, hidden])]
        let (queries, keys) = (heads * headWidth, keyValueHeads * headWidth)
        for index in 0..<layers {
            let layer = "model.layers.\(index)."
            func linear(_ name: String, _ outputs: Int, _ inputs: Int, bias: Bool) {
                tensors.append((layer + name + ".weight", [outputs, inputs]))
                if bias { tensors.append((layer + name + ".bias", [outputs])) }
            }
            tensors.append((layer + "input_layernorm.weight", [hidden]))
            linear("self_attn.q_proj", queries, hidden, bias: hasQueryKeyValueBias)
            linear("self_attn.k_proj", keys, hidden, bias: hasQueryKeyValueBias)
            linear("self_attn.v_proj", keys, hidden, bias: hasQueryKeyValueBias)
            if hasQueryKeyNorm {
                tensors.append((layer + "self_attn.q_norm.weight", [headWidth]))
                tensors.append((layer + "self_attn.k_norm.weight", [headWidth]))
            }
            linear("self_attn.o_proj", hidden, queries, bias: hasAttentionOutputBias)
            tensors.append((layer + "post_attention_layernorm.weight", [hidden]))
            linear("mlp.gate_proj", intermediate, hidden, bias: hasFeedForwardBias)
            linear("mlp.up_proj", intermediate, hidden, bias: hasFeedForwardBias)
            linear("mlp.down_proj", hidden, intermediate, bias: hasFeedForwardBias)
        }
        tensors.append(("model.norm.weight", [hidden]))
        if !isTied { tensors.append(("lm_head.weight", [vocabulary, hidden])) }
        return tensors
    }

    private var gpt2Tensors: [(name: String, shape: [Int])] {
        var tensors: [(name: String, shape: [Int])] = [
            ("transformer.wte.weight", [vocabulary, hidden]), ("transformer.wpe.weight", [context, hidden]),
        ]
        func norm(_ name: String) {
            tensors.append((name + ".weight", [hidden]))
            tensors.append((name + ".bias", [hidden]))
        }
        for index in 0..<layers {
            let layer = "transformer.h.\(index)."
            func linear(_ name: String, _ outputs: Int, _ inputs: Int) {
                tensors.append((layer + name + ".weight", [outputs, inputs]))
                tensors.append((layer + name + ".bias", [outputs]))
            }
            norm(layer + "ln_1")
            linear("attn.c_attn", 3 * hidden, hidden)
            linear("attn.c_proj", hidden, hidden)
            norm(layer + "ln_2")
            linear("mlp.c_fc", intermediate, hidden)
            linear("mlp.c_proj", hidden, intermediate)
        }
        norm("transformer.ln_f")
        if !isTied { tensors.append(("lm_head.weight", [vocabulary, hidden])) }
        return tensors
    }

    /// The largest sizes that a file may state.
    static let limits: [(name: String, value: @Sendable (ModelConfiguration) -> Int, range: ClosedRange<Int>)] = [
        ("the vocabulary", { $0.vocabulary }, 1...(1 << 22)),
        ("the hidden size", { $0.hidden }, 1...65_536),
        ("the number of layers", { $0.layers }, 1...1_024),
        ("the number of heads", { $0.heads }, 1...4_096),
        ("the number of key and value heads", { $0.keyValueHeads }, 1...4_096),
        ("the width of a head", { $0.headWidth }, 1...4_096),
        ("the feed-forward width", { $0.intermediate }, 1...(1 << 20)),
        ("the context", { $0.context }, 1...(1 << 24)),
        ("the sliding window", { $0.slidingWindow ?? 1 }, 1...(1 << 24)),
    ]

    /// What contradicts itself in the sizes; nil where nothing does.
    var fault: String? {
        for limit in Self.limits where !limit.range.contains(limit.value(self)) {
            return "\(limit.name) is \(limit.value(self)); expected "
                + "\(limit.range.lowerBound) to \(limit.range.upperBound)"
        }
        guard heads.isMultiple(of: keyValueHeads) else {
            return "\(heads) heads cannot share \(keyValueHeads) key and value heads evenly"
        }
        if rotary != nil, !headWidth.isMultiple(of: 2) {
            return "a head is \(headWidth) wide; expected an even width, because numbers turn in pairs"
        }
        if architecture == .gpt2, heads * headWidth != hidden {
            return "\(heads) heads do not divide a hidden size of \(hidden)"
        }
        guard normEpsilon >= 0, normEpsilon <= 1 else { return "the norm's epsilon is \(normEpsilon); expected 0 to 1" }
        return nil
    }
}
