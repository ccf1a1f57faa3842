/// Names that other programs give the factors of LoRA, which PEFT's readers do not know.
enum ForeignName {
    /// Whose names a tensor has; nil where it has PEFT's, or none that is known.
    static func owner(of name: String) -> String? {
        if name.hasSuffix(".lora_A.default.weight") || name.hasSuffix(".lora_B.default.weight")
            || name.contains(".lora_embedding_A.default") || name.contains(".lora_embedding_B.default")
        {
            return "PEFT's model in memory (its state_dict, with the adapter's name)"
        }
        if name.hasSuffix(".lora_a") || name.hasSuffix(".lora_b") { return "MLX" }
        if name.hasSuffix(".lora_down.weight") || name.hasSuffix(".lora_up.weight") {
            return name.hasPrefix("lora_") ? "kohya's scripts" : "diffusers"
        }
        if name.hasSuffix("_lora.down.weight") || name.hasSuffix("_lora.up.weight")
            || name.hasSuffix(".lora.down.weight") || name.hasSuffix(".lora.up.weight")
        {
            return "diffusers"
        }
        return nil
    }
}
