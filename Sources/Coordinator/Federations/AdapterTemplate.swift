import AdapterFormat
import Federation

/// An adapter with its configuration, read as a federation's shape and first values.
struct AdapterTemplate: Sendable {
    let file: AdapterFile
    /// The complete settings: the draft's, completed by the template.
    let settings: FederationSettings
    let plan: AdapterPlan

    /// Opens a file that may be a template: valid, with factors, and with numbers that updates may have too.
    ///
    /// - Parameter numbersAreSound: whether every number was checked before.
    static func open(_ path: String, numbersAreSound: Bool) throws(UpdateRefusal) -> SafetensorsFile {
        let file: SafetensorsFile
        do throws(SafetensorsError) { file = try SafetensorsFile(path: path) } catch { throw UpdateRefusal(error) }
        do throws(AdapterError) {
            let adapter = try AdapterFile(file)
            guard !adapter.modules.isEmpty else { throw .noModules }
            if !numbersAreSound { try adapter.checkFinite() }
        } catch {
            throw UpdateRefusal(error)
        }
        return file
    }

    /// - Parameter draft: the federation's settings before the template.
    init(
        _ file: SafetensorsFile, _ config: AdapterConfig, for draft: FederationSettings
    ) throws(UpdateRefusal) {
        do throws(ConfigRefusal) { try AdapterShape.checkMeaning(of: config) } catch { throw UpdateRefusal(error) }
        let experts = try Self.experts(of: file, config)
        let shape: AdapterShape
        do {
            self.file = try AdapterFile(file, experts: experts)
            shape = try AdapterShape(template: self.file, type: Self.type(of: self.file)) { module in
                config.alpha(of: module) == config.alpha ? nil : config.alpha(of: module)
            }
        } catch let error as AdapterError {
            throw UpdateRefusal(error)
        } catch {
            throw UpdateRefusal(code: "template.shape", detail: "\(error)")
        }
        try Self.requireFactors(of: self.file)
        let adopted: [String: String]
        do throws(ConfigRefusal) {
            try shape.check(self.file, against: config)
            adopted = try shape.adopted(
                from: config, scaling: config.scaling, ranks: [:], carried: draft.adapter.config)
        } catch {
            throw UpdateRefusal(error)
        }
        var settings = draft
        settings.adapter = FederationSettings.Adapter(shape, config, of: draft.adapter)
        settings.adapter.config.merge(adopted) { _, new in new }
        if settings.baseModel.name.isEmpty { settings.baseModel.name = config.baseModel ?? "" }
        do throws(SettingsError) {
            try draft.adapter.requireAgreement(of: settings.adapter)
            let checked = try FederationService.checked(settings)
            guard let plan = checked.plan else { throw SettingsError(path: "adapter", reason: "is still a draft") }
            guard plan.storedShape(ofRound: 0).modules.count == shape.modules.count else {
                throw SettingsError(
                    path: "strategy.name",
                    reason:
                        "is \(draft.strategy.name), which begins with sparse weights and not with a template's factors")
            }
            self.settings = checked.settings
            self.plan = plan
        } catch {
            throw UpdateRefusal(code: "settings.invalid", detail: "\(error)")
        }
    }

    /// The number of experts of each parameter. Its factor A has as many rows as the rank times this number.
    private static func experts(
        of file: SafetensorsFile, _ config: AdapterConfig
    ) throws(UpdateRefusal) -> [String: Int] {
        guard !["null", "[]"].contains(config.further["target_parameters"] ?? "null") else { return [:] }
        for name in ConfigNames(json: config.further["target_parameters"] ?? "[]") {
            let leaf = name.split(separator: ".").last.map(String.init) ?? name
            for (key, rules) in [
                ("rank_pattern", config.rankRules.list.map(\.pattern.key)),
                ("alpha_pattern", config.alphaRules.list.map(\.pattern.key)),
            ] {
                guard let pattern = rules.first(where: { $0.contains(leaf) }) else { continue }
                throw UpdateRefusal(
                    code: "config.\(key)",
                    detail:
                        "\(key) has \(pattern), which names the parameter \(name); all parameters of experts must have "
                        + "the adapter's own r and lora_alpha")
            }
        }
        var experts: [String: Int] = [:]
        for tensor in file.tensors {
            guard case .factorA(let module, false) = TensorName(parsing: tensor.name), let rows = tensor.shape.first
            else { continue }
            let rank = config.rank(of: module)
            if rows == rank { continue }
            guard rows > rank, rows.isMultiple(of: rank) else {
                throw UpdateRefusal(
                    code: "config.r",
                    detail:
                        "r is \(rank); \(TensorName(parsing: tensor.name).bare) has \(rows) rows, which are no whole "
                        + "number of experts")
            }
            experts[module] = rows / rank
        }
        return experts
    }

    /// Requires both factors of every module.
    private static func requireFactors(of file: AdapterFile) throws(UpdateRefusal) {
        for module in file.modules where module.shape == nil {
            let embedding = module.isEmbedding
            let missing: TensorName =
                module.a == nil
                ? .factorA(module: module.owner, embedding: embedding)
                : .factorB(module: module.owner, embedding: embedding)
            throw UpdateRefusal(AdapterError.missingFactor(tensor: missing.bare, module: module.owner))
        }
    }

    /// The type that all factors share, or F32.
    private static func type(of file: AdapterFile) -> ScalarType {
        let types = Set(file.modules.compactMap { $0.a?.type })
        guard types.count == 1, let type = types.first, type.isPublishable else { return .f32 }
        return type
    }
}

extension FederationSettings.Adapter {
    /// Expresses the template as settings.
    fileprivate init(_ shape: AdapterShape, _ config: AdapterConfig, of draft: FederationSettings.Adapter) {
        var modules: [String: FederationSettings.Module] = [:]
        for module in shape.modules {
            let kind: FederationSettings.Module.Kind
            var inputs = module.inputs
            switch (module.kind, module.expert) {
            case (_, let expert?): kind = .experts(count: expert.count)
            case (.linear, nil): kind = .linear
            case (.embedding, nil): kind = .embedding
            case (.conv2d(let height, let width), nil):
                kind = .convolution(height: height, width: width)
                inputs /= height * width
            }
            modules[module.owner] = FederationSettings.Module(
                kind: kind, inputs: inputs, outputs: module.outputs,
                maximumRank: module.maximumRank == config.rank ? nil : module.maximumRank, bias: module.hasBias,
                alpha: module.alpha)
        }
        let dense = shape.dense.map { ($0.name, FederationSettings.Dense(shape: $0.shape, initial: .template)) }
        var template = draft.template
        template?.isComplete = true
        self.init(
            maximumRank: config.rank,
            scaling: config.usesRSLoRA ? .rslora(alpha: config.alpha) : .lora(alpha: config.alpha),
            elementType: draft.template?.givesElementType == true ? draft.elementType : .init(shape.type),
            modules: modules, dense: Dictionary(dense) { $1 }, messageBits: draft.messageBits, config: draft.config,
            template: template)
    }

    /// Throws where the settings contradict the template, and names both values.
    fileprivate func requireAgreement(of template: FederationSettings.Adapter) throws(SettingsError) {
        func require(_ path: String, _ mine: String, _ other: String) throws(SettingsError) {
            guard mine != other else { return }
            throw SettingsError(
                path: "adapter.\(path)", reason: "is \(mine) in the settings and \(other) in the template")
        }
        if self.template?.givesMaximumRank == true {
            try require("max_rank", "\(maximumRank)", "\(template.maximumRank)")
        }
        if self.template?.givesScaling == true { try require("scaling", "\(scaling)", "\(template.scaling)") }
        guard !modules.isEmpty || !dense.isEmpty else { return }
        for (name, module) in modules.sorted(by: { $0.key < $1.key }) {
            guard let other = template.modules[name] else {
                throw SettingsError(
                    path: "adapter.modules.\(name)", reason: "is in the settings and not in the template")
            }
            let path = "modules.\(name)"
            try require("\(path).in", "\(module.inputs)", "\(other.inputs)")
            try require("\(path).out", "\(module.outputs)", "\(other.outputs)")
            try require("\(path)", "\(module.kind)", "\(other.kind)")
            if let rank = module.maximumRank {
                try require("\(path).max_rank", "\(rank)", "\(other.maximumRank ?? template.maximumRank)")
            }
        }
        if let name = template.modules.keys.filter({ modules[$0] == nil }).min(), !modules.isEmpty {
            throw SettingsError(path: "adapter.modules.\(name)", reason: "is in the template and not in the settings")
        }
        for (name, tensor) in dense.sorted(by: { $0.key < $1.key }) {
            guard let other = template.dense[name] else {
                throw SettingsError(path: "adapter.dense.\(name)", reason: "is in the settings and not in the template")
            }
            try require("dense.\(name)", "\(tensor.shape)", "\(other.shape)")
        }
    }
}

extension FederationSettings.ElementType {
    fileprivate init(_ type: ScalarType) {
        switch type {
        case .f64, .f32: self = .float32
        case .f16: self = .float16
        case .bf16: self = .bfloat16
        }
    }
}
