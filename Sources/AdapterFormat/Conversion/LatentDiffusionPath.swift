/// Translates a UNet's module name from Stable Diffusion's own code (`input_blocks.4.1…`) to diffusers' name. kohya's
/// scripts keep the former for SDXL.
///
/// The UNets of Stable Diffusion 1, 2 and XL have three places a level: two blocks and a change of resolution.
struct LatentDiffusionPath {
    let path: String

    private static let placesPerLevel = 3

    /// - Parameter words: the words of a flattened path.
    /// - Returns: nil for any other name.
    init?(_ words: [Substring]) {
        let text = words.joined(separator: "_")
        if let whole = Self.whole[text] {
            path = whole
            return
        }
        guard words.count > 3, let place = Int(words[2]), (0...11).contains(place) else { return nil }
        let rest = words.dropFirst(4)
        switch (words[0], words[1]) {
        case ("input", "blocks"):
            guard let part = Int(words[3]), place > 0 else { return nil }
            let (level, block) = ((place - 1) / Self.placesPerLevel, (place - 1) % Self.placesPerLevel)
            if part == 0, rest.elementsEqual(["op"]) {
                path = "down_blocks.\(level).downsamplers.0.conv"
            } else if let inner = Self.inner(part, block, rest) {
                path = "down_blocks.\(level).\(inner)"
            } else {
                return nil
            }
        case ("output", "blocks"):
            guard let part = Int(words[3]) else { return nil }
            let (level, block) = (place / Self.placesPerLevel, place % Self.placesPerLevel)
            if part > 0, rest.elementsEqual(["conv"]) {
                path = "up_blocks.\(level).upsamplers.0.conv"
            } else if let inner = Self.inner(part, block, rest) {
                path = "up_blocks.\(level).\(inner)"
            } else {
                return nil
            }
        case ("middle", "block"):
            guard place < 3, let inner = Self.inner(place % 2, place / 2, words.dropFirst(3)) else { return nil }
            path = "mid_block.\(inner)"
        default: return nil
        }
    }

    /// The residual part of a block (0) or its transformer (1).
    private static func inner(_ part: Int, _ block: Int, _ rest: ArraySlice<Substring>) -> String? {
        switch part {
        case 0: return residual[rest.joined(separator: "_")].map { "resnets.\(block).\($0)" }
        case 1:
            let readings = FlattenedPath.readings(of: rest)
            return readings.count == 1 ? "attentions.\(block).\(readings[0])" : nil
        default: return nil
        }
    }

    private static let residual = [
        "in_layers_2": "conv1", "emb_layers_1": "time_emb_proj", "out_layers_3": "conv2",
        "skip_connection": "conv_shortcut",
    ]

    private static let whole = [
        "input_blocks_0_0": "conv_in", "out_2": "conv_out", "time_embed_0": "time_embedding.linear_1",
        "time_embed_2": "time_embedding.linear_2", "label_emb_0_0": "add_embedding.linear_1",
        "label_emb_0_2": "add_embedding.linear_2",
    ]
}
