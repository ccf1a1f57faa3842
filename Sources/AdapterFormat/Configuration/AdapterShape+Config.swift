import StrictJSON

/// Compares and combines a federation with its clients' configurations.
extension AdapterShape {
    /// The keys of a configuration that travel with adapters of this shape.
    ///
    /// - Parameters:
    ///   - scaling: the federation's.
    ///   - ranks: the highest rank that the configuration's owner may have, by module path; one without an entry may have
    ///     its maximum.
    ///   - carried: the keys that are carried already.
    /// - Throws: where a key cannot be carried through a mean of adapters, or contradicts the federation.
    package func adopted(
        from config: AdapterConfig, scaling: Scaling, ranks: [String: Int], carried: [String: String]
    ) throws(ConfigRefusal) -> [String: String] {
        try Self.checkMeaning(of: config)
        try checkFactors(of: config, scaling: scaling, ranks: ranks)
        try checkDense(of: config)
        var adopted: [String: String] = [:]
        for key in ConfigKey.all {
            let found = config.further[key.name]
            switch key.treatment {
            case .carried(let standard):
                let value = found ?? standard
                if let known = carried[key.name], known != value {
                    throw ConfigRefusal(key: key.name, found: value, reason: "this federation has \(known.prefix(200))")
                }
                adopted[key.name] = value
            case .compared, .stated, .described, .ignored, .refused: break
            }
        }
        for (key, value) in config.further {
            switch ConfigKey.treatment(of: key) {
            case .stated:
                if let known = carried[key], known != "null", known != value {
                    throw ConfigRefusal(key: key, found: value, reason: "this federation has \(known.prefix(200))")
                }
                adopted[key] = value
            case .described: adopted[key] = carried[key] ?? value
            case .compared, .carried, .ignored, .refused: break
            }
        }
        return adopted.filter { carried[$0.key] != $0.value }
    }

    /// Checks that a file has the ranks of its configuration.
    package func check(_ file: AdapterFile, against config: AdapterConfig) throws(ConfigRefusal) {
        for module in file.modules where module.rank != config.rank(of: module.owner) {
            throw ConfigRefusal(
                key: config.rankRules.isEmpty ? "r" : "rank_pattern", found: "\(config.rank(of: module.owner))",
                reason: "\(module.owner) has rank \(module.rank) in the file")
        }
    }

    /// Refuses settings that a mean of adapters does not preserve.
    package static func checkMeaning(of config: AdapterConfig) throws(ConfigRefusal) {
        for key in ConfigKey.all {
            guard case .refused(let harmless) = key.treatment, let found = config.further[key.name],
                !harmless.contains(found)
            else { continue }
            throw ConfigRefusal(key: key.name, found: found, reason: "this cannot be averaged: \(key.note)")
        }
    }

    private func checkFactors(
        of config: AdapterConfig, scaling: Scaling, ranks: [String: Int]
    ) throws(ConfigRefusal) {
        let targets = TargetMatcher(config.targets)
        for module in modules where targets.mayMean(module.owner) || module.expert != nil {
            let rank = config.rank(of: module.owner)
            let granted = ranks[module.owner] ?? module.maximumRank
            guard rank <= granted else {
                throw ConfigRefusal(
                    key: config.rankRules.isEmpty ? "r" : "rank_pattern", found: "\(rank)",
                    reason: "\(module.owner) may have rank \(granted) at most here")
            }
            let found = config.scale(of: module.owner)
            let expected = scaling.of(module).scale(atRank: rank)
            guard abs(found - expected) <= 1e-6 * max(abs(found), abs(expected)) else {
                throw ConfigRefusal(
                    key: config.alphaRules.isEmpty ? "lora_alpha" : "alpha_pattern",
                    found: "\(config.alpha(of: module.owner))\(config.usesRSLoRA ? " with use_rslora" : "")",
                    reason: "at rank \(rank) that scales \(module.owner) by \(found); this federation scales it by "
                        + "\(expected)")
            }
        }
        let hasBias = modules.contains { $0.hasBias }
        guard config.hasLoRABias == hasBias else {
            throw ConfigRefusal(
                key: "lora_bias", found: "\(config.hasLoRABias)",
                reason: "this federation has \(hasBias ? "" : "no ")biases of lora_B")
        }
        let parameters = config.further["target_parameters"] ?? "null"
        guard experts.isEmpty == ["null", "[]"].contains(parameters) else {
            throw ConfigRefusal(
                key: "target_parameters", found: parameters,
                reason: "this federation has \(experts.isEmpty ? "no " : "")modules with experts")
        }
    }

    private func checkDense(of config: AdapterConfig) throws(ConfigRefusal) {
        guard config.usesDoRA == usesDoRA else {
            throw ConfigRefusal(
                key: "use_dora", found: "\(config.usesDoRA)",
                reason: "this federation has \(usesDoRA ? "" : "no ")magnitudes (lora_magnitude_vector)")
        }
        if let bias = config.further["bias"], bias != "\"none\"", SavedTensors(of: self, carried: [:]).bias == "none",
            SavedTensors(of: self, carried: config.further).bias == "none"
        {
            throw ConfigRefusal(key: "bias", found: bias, reason: "this federation has no biases beside its factors")
        }
        let tokens = dense.filter { $0.name.hasSuffix(TensorName.trainedTokens) }
        let indices = config.further["trainable_token_indices"] ?? "null"
        guard tokens.isEmpty == ["null", "[]", "{}"].contains(indices) else {
            throw ConfigRefusal(
                key: "trainable_token_indices", found: indices,
                reason: "this federation has \(tokens.isEmpty ? "no " : "")tensors of trained tokens "
                    + "(\(TensorName.trainedTokens.dropFirst()))")
        }
    }

    package var usesDoRA: Bool { dense.contains { $0.name.hasSuffix(TensorName.magnitude) } }
}

/// Which modules PEFT adapts under a configuration.
private struct TargetMatcher {
    private let names: Set<String>
    private let pattern: ModulePattern?
    /// Whether any module may match: `all-linear`, and patterns that cannot be read.
    private let isOpen: Bool

    init(_ targets: AdapterConfig.Targets) {
        switch targets {
        case .names(let list): (names, pattern, isOpen) = (Set(list), nil, false)
        case .pattern(let text):
            names = []
            pattern = text == "all-linear" ? nil : try? ModulePattern(text)
            isOpen = pattern == nil
        }
    }

    func mayMean(_ module: String) -> Bool {
        isOpen || pattern?.matches(module) ?? module.pathSuffixes.contains { names.contains(String($0)) }
    }
}
