/// A module as diffusers names it: a part of a pipeline, and the module's path in it.
struct DiffusersPath: Hashable {
    /// Such as `unet`; empty where the name does not say.
    let component: String
    /// The path inside the part.
    let module: String

    /// The parts of pipelines that adapters are made for.
    static let components: Set<String> = [
        "unet", "text_encoder", "text_encoder_2", "text_encoder_3", "transformer", "transformer_2", "prior",
        "image_encoder", "controlnet",
    ]

    /// - Parameter name: the text before `.lora.down.weight`, `_lora.down.weight` and the like.
    init(_ name: String) {
        var words = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        var component = ""
        if words.count > 1, Self.components.contains(words[0]) { component = words.removeFirst() }
        // Attention processors hold the factors of their attention's layers.
        words.removeAll { $0 == "processor" }
        if let last = words.last, last.hasPrefix("to_") {
            if words.contains("self_attn") {
                let names = ["to_q": "q_proj", "to_k": "k_proj", "to_v": "v_proj", "to_out": "out_proj"]
                words[words.count - 1] = names[last] ?? last
            } else if last == "to_out" {
                words.append("0")
            }
        }
        self.component = component
        module = words.joined(separator: ".")
    }
}
