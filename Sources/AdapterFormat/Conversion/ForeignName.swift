/// The parsed name of a LoRA tensor from a program other than PEFT.
package struct ForeignName: Sendable, Hashable {
    /// The program whose names they are.
    package enum Convention: Sendable, Hashable, CaseIterable {
        /// PEFT's model in memory: the adapter's own name stands before `weight`.
        case memory
        /// mlx_lm: `lora_a` (inputs × rank) and `lora_b` (rank × outputs).
        case mlx
        /// sd-scripts and programs that follow it: module paths with `_` for `.`, and an `alpha` for each.
        case kohya
        /// diffusers before it took PEFT's names: `down`, `up`, attention processors.
        case diffusers
        /// loralib and torchtune: matrices of PEFT's shapes without `weight` in the name, or in small letters.
        case loralib
        /// LyCORIS's adapters that are no LoRA.
        case lycoris
    }

    package enum Part: Sendable, Hashable {
        case a
        case b
        case embeddingA
        case embeddingB
        /// B's bias.
        case bias
        case magnitude
        /// A tensor that was trained in full; the module is its whole name.
        case dense
        case alpha
        /// The core of a convolution in three factors.
        case mid
        /// A tensor that does not belong to LoRA.
        case other(String)
    }

    /// The name in the file.
    package let tensor: String
    package let convention: Convention
    /// The module's name in the program, without the suffix that names its part.
    package let module: String
    package let part: Part

    /// Reads a name; nil for PEFT's own names and for names without LoRA.
    ///
    /// This does not read names that only their neighbours explain (`alpha`, MLX's `m`).
    package init?(parsing tensor: String) {
        let name = tensor.hasPrefix(TensorName.prefix) ? String(tensor.dropFirst(TensorName.prefix.count)) : tensor
        guard let found = Self.inMemory(name) ?? Self.bySuffix(name) else { return nil }
        self.tensor = tensor
        (convention, module, part) = found
    }

    init(tensor: String, convention: Convention, module: String, part: Part) {
        self.tensor = tensor
        self.convention = convention
        self.module = module
        self.part = part
    }

    private typealias Reading = (Convention, String, Part)

    /// `MODULE.lora_A.ADAPTER.weight` and similar names, where the adapter's name has no dot.
    private static func inMemory(_ name: String) -> Reading? {
        let words = name.split(separator: ".", omittingEmptySubsequences: false)
        func path(_ count: Int) -> String { words[..<count].joined(separator: ".") }
        func word(fromEnd place: Int) -> Substring? { words.count > place ? words[words.count - place] : nil }
        if words.count > 3, let last = words.last {
            switch (word(fromEnd: 3), last) {
            case ("lora_A", "weight"): return (.memory, path(words.count - 3), .a)
            case ("lora_B", "weight"): return (.memory, path(words.count - 3), .b)
            case ("lora_B", "bias"): return (.memory, path(words.count - 3), .bias)
            case ("lora_magnitude_vector", "weight"): return (.memory, path(words.count - 3), .magnitude)
            default: break
            }
        }
        if words.count > 2 {
            switch word(fromEnd: 2) {
            case "lora_embedding_A": return (.memory, path(words.count - 2), .embeddingA)
            case "lora_embedding_B": return (.memory, path(words.count - 2), .embeddingB)
            case "lora_magnitude_vector": return (.memory, path(words.count - 2), .magnitude)
            case "trainable_tokens_delta": return (.memory, path(words.count - 1), .dense)
            default: break
            }
        }
        if let place = words.firstIndex(of: "modules_to_save"), place > 0, words.count > place + 2 {
            return (.memory, (words[..<place] + words[(place + 2)...]).joined(separator: "."), .dense)
        }
        return nil
    }

    private static func bySuffix(_ name: String) -> Reading? {
        for (suffix, convention, part) in suffixes where name.hasSuffix(suffix) && name.utf8.count > suffix.utf8.count {
            let module = String(name.dropLast(suffix.count))
            guard convention == .kohya else { return (convention, module, part) }
            return (module.contains(".") ? .diffusers : .kohya, module, part)
        }
        guard let dot = name.lastIndex(of: "."), dot != name.startIndex else { return nil }
        let (module, last) = (String(name[..<dot]), name[name.index(after: dot)...])
        if let kind = ["hada_", "lokr_", "oft_", "boft_"].first(where: last.hasPrefix) {
            return (.lycoris, module, .other(String(kind.dropLast())))
        }
        return nil
    }

    /// If one suffix ends in another, the longer comes first. kohya's names are diffusers' where the module's path has
    /// dots.
    private static let suffixes: [(String, Convention, Part)] = [
        (".lora_down.weight", .kohya, .a), (".lora_up.weight", .kohya, .b), (".lora_mid.weight", .kohya, .mid),
        (".lora_linear_layer.down.weight", .diffusers, .a), (".lora_linear_layer.up.weight", .diffusers, .b),
        (".lora.down.weight", .diffusers, .a), (".lora.up.weight", .diffusers, .b),
        ("_lora.down.weight", .diffusers, .a), ("_lora.up.weight", .diffusers, .b),
        (".lora_a", .mlx, .a), (".lora_b", .mlx, .b),
        (".lora_a.weight", .loralib, .a), (".lora_b.weight", .loralib, .b),
        (".lora_A", .loralib, .a), (".lora_B", .loralib, .b),
    ]
}

extension ForeignName {
    /// The name that PEFT gives this tensor, with MODULE where this name alone does not give the module's path. Nil
    /// where PEFT has no such tensor.
    package var expected: String? {
        let path: String
        switch convention {
        case .memory, .mlx, .loralib: path = module
        case .diffusers: path = DiffusersPath(module).module
        case .kohya, .lycoris: path = "MODULE"
        }
        return switch part {
        case .a: TensorName.factorA(module: path, embedding: false).peft
        case .b: TensorName.factorB(module: path, embedding: false).peft
        case .embeddingA: TensorName.factorA(module: path, embedding: true).peft
        case .embeddingB: TensorName.factorB(module: path, embedding: true).peft
        case .bias: TensorName.bias(module: path).peft
        case .magnitude: TensorName.dense(path + TensorName.magnitude).peft
        case .dense: TensorName.dense(module).peft
        case .alpha, .mid, .other: nil
        }
    }
}

extension ForeignName: CustomStringConvertible {
    package var description: String {
        let found = "\(tensor) has a name of \(convention)"
        guard let expected else {
            return "\(found), which PEFT's LoRA has nothing for; expected a LoRA adapter of PEFT's, such as "
                + TensorName.factorA(module: "MODULE", embedding: false).peft
        }
        return "\(found); expected \(expected): `rankwise-lab convert IN OUT` makes PEFT's files of it"
    }
}

extension ForeignName.Convention: CustomStringConvertible {
    package var description: String {
        switch self {
        case .memory: "a PEFT model in memory (state_dict, with the adapter's own name)"
        case .mlx: "MLX"
        case .kohya: "kohya's scripts"
        case .diffusers: "diffusers"
        case .loralib: "loralib or torchtune"
        case .lycoris: "LyCORIS"
        }
    }
}

extension ForeignName.Convention {
    /// Whether a module's alpha lies beside its factors; without one, alpha is the rank. There is no configuration
    /// then.
    package var carriesAlphas: Bool {
        switch self {
        case .kohya, .diffusers, .lycoris: true
        case .memory, .mlx, .loralib: false
        }
    }
}
