import StrictJSON

extension AdapterConfig {
    /// The configuration of a file that `AdapterWriter` wrote. With it, PEFT computes the federation's scale at every
    /// module's rank.
    ///
    /// - Parameters:
    ///   - shape: without the dense tensors that the file lacks.
    ///   - ranks: the rank of every module path in the file; a module without an entry has its maximum.
    ///   - carried: the keys that travel with the federation's adapters, as canonical JSON.
    package init(
        shape: AdapterShape, ranks: [String: Int] = [:], scaling: Scaling, baseModel: String? = nil,
        carried: [String: String] = [:]
    ) {
        self.init()
        self.baseModel = baseModel
        if case .rslora = scaling { usesRSLoRA = true }
        let modules = shape.modules.filter { ($0.expert?.index ?? 0) == 0 }.map { module in
            let rank = ranks[module.owner] ?? module.maximumRank
            return Written(
                name: module.owner, rank: rank, alpha: scaling.of(module).alpha(atRank: rank),
                isParameter: module.expert != nil)
        }
        let parameter = modules.first { $0.isParameter }
        // PEFT's patterns use parameter names that the tensors do not contain, so parameters have the common rank and
        // alpha.
        let commonRank = parameter?.rank ?? Self.mostFrequent(modules.map(\.rank)) ?? rank
        let commonAlpha = parameter?.alpha ?? Self.mostFrequent(modules.map(\.alpha)) ?? alpha
        rank = commonRank
        alpha = commonAlpha
        // A key matches every path that ends in it, and the first match counts. So longer paths come first. If one
        // module needs an entry, all get one, so that a shorter path's entry matches none of them.
        let byLength = modules.filter { !$0.isParameter }.sorted {
            ($1.name.utf8.count, $0.name) < ($0.name.utf8.count, $1.name)
        }
        if modules.contains(where: { $0.rank != commonRank }) {
            rankRules = .init(byLength.map { .init(pattern: ModulePattern(path: $0.name), value: $0.rank) })
        }
        if modules.contains(where: { $0.alpha != commonAlpha }) {
            alphaRules = .init(byLength.map { .init(pattern: ModulePattern(path: $0.name), value: $0.alpha) })
        }
        let names = modules.filter { !$0.isParameter }.map(\.name)
        // A list matches every path that ends in one of its names. A path of one part may be the end of another path.
        if names.contains(where: { !$0.contains(".") }) {
            targets = .pattern(names.map { ModulePattern(path: $0).key }.joined(separator: "|"))
        } else {
            targets = .names(names)
        }
        hasLoRABias = shape.modules.contains { $0.hasBias }
        usesDoRA = shape.usesDoRA
        further = carried.filter { $0.value != "null" }
        let saved = SavedTensors(of: shape, carried: carried)
        further["bias"] = saved.bias.jsonQuoted
        further["modules_to_save"] = saved.modules
        if let excluded = further["exclude_modules"], shape.modules.contains(where: { excluded.excludes($0.owner) }) {
            further["exclude_modules"] = nil
        }
        if case .pattern = targets { (further["layers_to_transform"], further["layers_pattern"]) = (nil, nil) }
        further["inference_mode"] = "true"
    }

    private struct Written {
        let name: String
        let rank: Int
        let alpha: Double
        let isParameter: Bool
    }

    /// The text of `adapter_config.json`, with sorted keys.
    package var json: String {
        var fields = further
        fields["alpha_pattern"] = Self.object(alphaRules.list.map { ($0.pattern.key, Self.number($0.value)) })
        fields["base_model_name_or_path"] = baseModel?.jsonQuoted ?? "null"
        fields["lora_alpha"] = Self.number(alpha)
        fields["lora_bias"] = String(hasLoRABias)
        fields["peft_type"] = "\"LORA\""
        fields["r"] = String(rank)
        fields["rank_pattern"] = Self.object(rankRules.list.map { ($0.pattern.key, String($0.value)) })
        switch targets {
        case .names(let names): fields["target_modules"] = Self.list(names)
        case .pattern(let pattern): fields["target_modules"] = pattern.jsonQuoted
        }
        fields["use_dora"] = String(usesDoRA)
        fields["use_rslora"] = String(usesRSLoRA)
        for (key, value) in [
            ("bias", "\"none\""), ("fan_in_fan_out", "false"), ("modules_to_save", "null"), ("task_type", "null"),
        ] where fields[key] == nil {
            fields[key] = value
        }
        let lines = fields.sorted { $0.key.precedes($1.key) }.map { "  \($0.key.jsonQuoted): \($0.value)" }
        return "{\n" + lines.joined(separator: ",\n") + "\n}\n"
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
        values.isEmpty ? "[]" : "[\n" + values.map { "    \($0.jsonQuoted)" }.joined(separator: ",\n") + "\n  ]"
    }

    private static func object(_ members: [(String, String)]) -> String {
        members.isEmpty
            ? "{}" : "{\n" + members.map { "    \($0.jsonQuoted): \($1)" }.joined(separator: ",\n") + "\n  }"
    }
}

extension Scaling {
    /// The `lora_alpha` with which PEFT computes this scaling at this rank.
    fileprivate func alpha(atRank rank: Int) -> Double {
        switch self {
        case .constant(let value): value * Double(rank)
        case .lora(let alpha), .rslora(let alpha): alpha
        }
    }
}
