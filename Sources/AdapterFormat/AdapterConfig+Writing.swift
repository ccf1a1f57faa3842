extension AdapterConfig {
    /// The configuration of a file that `AdapterWriter` wrote, under which PEFT computes with the federation's scale at
    /// every module's rank.
    ///
    /// - Parameter ranks: the rank of every module in the file; a module without an entry has its maximum.
    package init(shape: AdapterShape, ranks: [String: Int] = [:], scaling: Scaling, baseModel: String? = nil) {
        self.init()
        self.baseModel = baseModel
        if case .rslora = scaling { usesRSLoRA = true }
        let modules = shape.modules.map { module in
            let rank = ranks[module.name] ?? module.maximumRank
            return (name: module.name, rank: rank, alpha: scaling.alpha(atRank: rank))
        }
        let commonRank = Self.mostFrequent(modules.map(\.rank)) ?? rank
        let commonAlpha = Self.mostFrequent(modules.map(\.alpha)) ?? alpha
        rank = commonRank
        alpha = commonAlpha
        // A key stands for every path that ends in it and the first one counts: longer paths come first, and where one
        // module needs an entry all get one, so that none is caught by the entry of a shorter path.
        let byLength = modules.sorted {
            ($1.name.utf8.count, $0.name) < ($0.name.utf8.count, $1.name)
        }
        if modules.contains(where: { $0.rank != commonRank }) {
            rankRules = byLength.map { Rule(pattern: ModulePattern(path: $0.name), value: $0.rank) }
        }
        if modules.contains(where: { $0.alpha != commonAlpha }) {
            alphaRules = byLength.map { Rule(pattern: ModulePattern(path: $0.name), value: $0.alpha) }
        }
        targetModules = modules.map(\.name)
        hasLoRABias = shape.modules.contains { $0.hasBias }
        usesDoRA = shape.dense.contains { $0.name.hasSuffix(".lora_magnitude_vector") }
        modulesToSave = Self.savedModules(shape)
    }

    /// The text of `adapter_config.json`, with sorted keys.
    package var json: String {
        let fields: [(String, String)] = [
            ("alpha_pattern", Self.object(alphaRules.map { ($0.pattern.key, Self.number($0.value)) })),
            ("base_model_name_or_path", baseModel?.jsonQuoted ?? "null"),
            ("bias", "\"none\""),
            ("fan_in_fan_out", "false"),
            ("inference_mode", "true"),
            ("lora_alpha", Self.number(alpha)),
            ("lora_bias", String(hasLoRABias)),
            ("lora_dropout", "0.0"),
            ("modules_to_save", modulesToSave.isEmpty ? "null" : Self.list(modulesToSave)),
            ("peft_type", "\"LORA\""),
            ("r", String(rank)),
            ("rank_pattern", Self.object(rankRules.map { ($0.pattern.key, String($0.value)) })),
            ("target_modules", Self.list(targetModules)),
            ("task_type", "null"),
            ("use_dora", String(usesDoRA)),
            ("use_rslora", String(usesRSLoRA)),
        ]
        return "{\n" + fields.map { "  \"\($0)\": \($1)" }.joined(separator: ",\n") + "\n}\n"
    }

    /// The modules that PEFT has to save whole, for the dense tensors that belong to no adapted module.
    private static func savedModules(_ shape: AdapterShape) -> [String] {
        var modules: [String] = []
        for tensor in shape.dense {
            guard let dot = tensor.name.lastIndex(of: "."), tensor.name[dot...] != ".lora_magnitude_vector" else {
                continue
            }
            let module = String(tensor.name[..<dot])
            if modules.last != module, shape[module: module] == nil { modules.append(module) }
        }
        return modules
    }

    /// The value that most modules have; of equally frequent ones the first.
    private static func mostFrequent<Value: Hashable>(_ values: [Value]) -> Value? {
        var counts: [Value: Int] = [:]
        for value in values { counts[value, default: 0] += 1 }
        let most = counts.values.max()
        return values.first { counts[$0] == most }
    }

    private static func number(_ value: Double) -> String {
        Int(exactly: value).map(String.init) ?? "\(value)"
    }

    private static func list(_ values: [String]) -> String {
        "[\n" + values.map { "    \($0.jsonQuoted)" }.joined(separator: ",\n") + "\n  ]"
    }

    private static func object(_ members: [(String, String)]) -> String {
        members.isEmpty
            ? "{}" : "{\n" + members.map { "    \($0.jsonQuoted): \($1)" }.joined(separator: ",\n") + "\n  }"
    }
}

extension Scaling {
    /// The `lora_alpha` under which PEFT, at this rank, computes with this scaling.
    fileprivate func alpha(atRank rank: Int) -> Double {
        switch self {
        case .constant(let value): value * Double(rank)
        case .lora(let alpha), .rslora(let alpha): alpha
        }
    }
}
