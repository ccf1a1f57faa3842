/// A module path in which `_` stands for the dots as well, as in kohya's scripts.
///
/// The words between two dots are known for diffusers' models and their text encoders. The path is read as every
/// sequence of such words. If exactly one sequence fits, that is the path.
struct FlattenedPath {
    /// The part of the pipeline; empty where the name does not say.
    let component: String
    private let words: [Substring]

    private static let prefixes = [
        ("lora_unet_", "unet"), ("lora_te1_", "text_encoder"), ("lora_te2_", "text_encoder_2"),
        ("lora_te3_", "text_encoder_3"), ("lora_te_", "text_encoder"), ("lora_transformer_", "transformer"),
        ("lycoris_", ""),
    ]

    /// - Returns: nil where no prefix names a part of a pipeline.
    init?(_ name: String) {
        guard let (prefix, component) = Self.prefixes.first(where: { name.hasPrefix($0.0) }) else { return nil }
        self.component = component
        words = name.dropFirst(prefix.count).split(separator: "_", omittingEmptySubsequences: false)
    }

    static func flatten(_ path: String) -> String { String(path.map { $0 == "." ? "_" : $0 }) }

    var text: String { words.joined(separator: "_") }

    /// Every path that the name can stand for, by the known words.
    var readings: [String] {
        if let path = LatentDiffusionPath(words)?.path { return [path] }
        return Self.readings(of: words[...])
    }

    /// Every sequence of known words that gives these words; stops after a few.
    static func readings(of words: ArraySlice<Substring>) -> [String] {
        var found: [String] = []
        func read(_ rest: ArraySlice<Substring>, _ path: [String], afterList: Bool) {
            guard found.count < 8 else { return }
            guard let first = rest.first else {
                if !afterList { found.append(path.joined(separator: ".")) }
                return
            }
            // A number follows only a list of modules.
            if first.allSatisfy(\.isNumber), !first.isEmpty {
                if afterList { read(rest.dropFirst(), path + [String(first)], afterList: false) }
                return
            }
            guard !afterList else { return }
            for count in 1...min(longest, rest.count) {
                let word = rest.prefix(count).joined(separator: "_")
                let isList = lists.contains(word)
                guard isList || others.contains(word) || path.last == "SelfAttention" && letters.contains(word) else {
                    continue
                }
                read(rest.dropFirst(count), path + [word], afterList: isList)
            }
        }
        // No model's paths are longer; each word is a level of the search.
        if (1...64).contains(words.count) { read(words, [], afterList: false) }
        return found
    }

    /// Modules that hold others by number.
    private static let lists: Set<String> = [
        // UNets and transformers of diffusers.
        "down_blocks", "up_blocks", "attentions", "resnets", "motion_modules", "temp_attentions", "temp_convs",
        "transformer_blocks", "single_transformer_blocks", "downsamplers", "upsamplers", "net", "to_out",
        // CLIP and T5.
        "layers", "block", "layer",
    ]

    private static let others: Set<String> = [
        "mid_block", "attn", "attn1", "attn2", "to_q", "to_k", "to_v", "to_add_out", "add_q_proj", "add_k_proj",
        "add_v_proj", "ff", "ff_context", "proj", "proj_in", "proj_out", "proj_mlp", "norm", "norm1", "norm2", "norm3",
        "norm1_context", "norm_out", "time_emb_proj", "time_embedding", "add_embedding", "class_embedding", "linear_1",
        "linear_2", "linear", "conv", "conv1", "conv2", "conv_in", "conv_out", "conv_shortcut", "temporal_transformer",
        "time_text_embed", "timestep_embedder", "guidance_embedder", "text_embedder", "context_embedder", "x_embedder",
        "encoder_hid_proj", "pos_embed",
        "text_model", "encoder", "embeddings", "token_embedding", "position_embedding", "self_attn", "q_proj", "k_proj",
        "v_proj", "out_proj", "mlp", "fc1", "fc2", "text_projection",
        "SelfAttention", "DenseReluDense", "wi", "wi_0", "wi_1", "wo",
    ]

    /// T5's projections.
    private static let letters: Set<String> = ["q", "k", "v", "o"]

    private static let longest = 3
}
