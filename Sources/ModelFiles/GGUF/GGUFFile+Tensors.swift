import AdapterFormat

/// The tensors of a file under Hugging Face's names, and the query and key rows in its order.
extension GGUFFile {
    /// All tensors of the model, checked against the configuration.
    package func tensors(of configuration: ModelConfiguration) throws(ModelFileError) -> [String: ModelTensor] {
        var rest = Dictionary(uniqueKeysWithValues: tensors.map { ($0.name, $0) })
        var found: [String: ModelTensor] = [:]
        for (name, shape) in configuration.tensors {
            let own = GGUFName.name(of: name)
            guard let tensor = rest.removeValue(forKey: own) else {
                throw .missingTensor(file: path, tensor: own, shape: shape)
            }
            guard tensor.shape == shape else {
                throw .shape(file: path, tensor: own, expected: shape, found: tensor.shape)
            }
            found[name] = self.tensor(tensor, name: name, order: try order(tensor, name, configuration))
        }
        // Read with the configuration.
        rest["rope_freqs.weight"] = nil
        if let name = rest.keys.min() { throw .unexpectedTensor(file: path, tensor: name) }
        return found
    }

    func tensor(_ tensor: Tensor, name: String, order: ModelTensor.Order) -> ModelTensor {
        ModelTensor(
            name: name, shape: tensor.shape, type: tensor.type, order: order, storage: storage, range: tensor.range)
    }

    /// Files of the Llama family have the rows of each query and key head so that neighbours turn together.
    private func order(
        _ tensor: Tensor, _ name: String, _ configuration: ModelConfiguration
    ) throws(ModelFileError) -> ModelTensor.Order {
        guard configuration.architecture == .llama,
            name.contains("self_attn.q_proj") || name.contains("self_attn.k_proj")
        else { return .plain }
        if tensor.shape.count == 1, tensor.type.blockLength != 1 {
            throw .type(file: path, tensor: tensor.name, found: tensor.type.description)
        }
        return .interleaved(headWidth: configuration.headWidth)
    }
}

extension GGUFFile {
    /// The bytes of a tensor.
    package func withBytes<Result, Failure: Error>(
        of tensor: Tensor, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try storage.withBytes { bytes throws(Failure) in
            try body(UnsafeRawBufferPointer(rebasing: bytes[tensor.range]))
        }
    }
}

/// The names of tensors in GGUF files.
package enum GGUFName {
    private static let parts: [String: String] = [
        "model.embed_tokens": "token_embd", "transformer.wte": "token_embd", "transformer.wpe": "position_embd",
        "model.norm": "output_norm", "transformer.ln_f": "output_norm", "lm_head": "output",
        "input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
        "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm",
        "self_attn.k_norm": "attn_k_norm", "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
        "ln_1": "attn_norm", "attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output", "ln_2": "ffn_norm",
        "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down",
    ]

    /// - Parameter name: one of `ModelConfiguration.tensors`.
    package static func name(of name: String) -> String {
        let end = name.lastIndex(of: ".") ?? name.endIndex
        let (path, kind) = (name[..<end], name[end...])
        for prefix in ["model.layers.", "transformer.h."] where path.hasPrefix(prefix) {
            let rest = path.dropFirst(prefix.count)
            let dot = rest.firstIndex(of: ".") ?? rest.endIndex
            let part = String(rest[dot...].dropFirst())
            return "blk.\(rest[..<dot]).\(parts[part] ?? part)\(kind)"
        }
        return (parts[String(path)] ?? String(path)) + kind
    }
}
