import AdapterFormat

/// The tensors of a model that an adapter changes and those that it adds. Every tensor of the adapter is used exactly
/// once.
///
/// The plan is made before anything is written, so a tensor that cannot be merged is refused by name first.
struct MergePlan {
    /// The changes, by the names in the model's files.
    private(set) var changes: [String: WeightChange] = [:]
    /// Tensors that the model's files do not have, such as a classifier's new head.
    private(set) var additions: [String: TensorView] = [:]
    /// Whether an output head that shared the embedding's rows now gets a tensor of its own.
    private(set) var untiesHead = false

    private let base: Checkpoint
    private let configuration: AdapterConfig
    /// The adapter's file, for messages.
    private let path: String
    private let names: ModuleNames

    init(
        of adapter: AdapterFile, at path: String, configuration: AdapterConfig, onto base: Checkpoint
    ) throws(AdapterFileError) {
        (self.base, self.configuration, self.path) = (base, configuration, path)
        for (key, reason) in Self.unmergeable where configuration.further[key] ?? "null" != "null" {
            throw .adapter(file: path, reason: "\(key) \(reason)")
        }
        let modules = adapter.modules.filter { $0.expert == nil }.map(\.name)
        let layers = adapter.modules.filter { $0.expert?.index == 0 }.map { ExpertsPath($0.owner).layer }
        let others = adapter.dense.compactMap { TrainedModule($0.name)?.path }
        names = try ModuleNames(
            modules + layers + others, in: base.names, of: base.path, adapter: path)
        for module in adapter.modules where module.expert == nil { try add(module) }
        try addExperts(of: adapter)
        for tensor in adapter.dense where try !isCopy(tensor, in: adapter) { try add(tensor) }
        try checkMagnitudes(of: adapter)
        try checkTies()
    }

    /// Configuration keys for which no weights of the base's shape can represent the adapted model.
    private static let unmergeable = [
        ("layer_replication", "repeats layers, which the base has once: the adapted model has no weights of its shape"),
        ("alora_invocation_tokens", "lets the adapter act behind some tokens alone, which merged weights cannot"),
    ]

    func refusal(_ reason: String) -> AdapterFileError { .adapter(file: path, reason: reason) }

    /// The model's tensor with this name; its numbers must be of a type that can be added to.
    func target(_ name: String, for module: String) throws(AdapterFileError) -> CheckpointFile.Tensor {
        guard let tensor = base[name] else {
            let reason =
                base.facts.isEncoderDecoder || module.hasSuffix("lm_head") || module.hasSuffix("embed_tokens")
                ? "; it may share those of another module" : ""
            throw refusal("\(base.path) has no \(name) for \(module)\(reason)")
        }
        guard tensor.type != nil else {
            throw refusal(
                "\(base.path) has \(name) as \(tensor.dtype); adding to \(module) needs F32, F64, BF16 or F16")
        }
        return tensor
    }
}

/// A module that the adapter changes other than by a product.
private struct TrainedModule {
    let path: String

    init?(_ tensor: String) {
        for suffix in [TensorName.trainedTokens, TensorName.wrappedBias, TensorName.wrappedWeight]
        where tensor.hasSuffix(suffix) {
            path = String(tensor.dropLast(suffix.count))
            return
        }
        return nil
    }
}

/// Merges linear layers, embeddings and convolutions.
extension MergePlan {
    private mutating func add(_ module: AdapterFile.Module) throws(AdapterFileError) {
        guard let shape = module.shape else { throw refusal("\(module.name) lacks one of its factors") }
        let name = names.inModel(module.name)
        let weight = try target(name + ".weight", for: module.name)
        let orientation: LayerOrientation?
        switch shape.kind {
        case .embedding: orientation = weight.shape == [shape.inputs, shape.outputs] ? .inputsFirst : nil
        case .conv2d(let height, let width):
            let expected = [shape.outputs, shape.inputs / (height * width), height, width]
            orientation = weight.shape == expected ? .outputsFirst : nil
        case .linear:
            orientation = try base.orientation(
                of: weight, inputs: shape.inputs, outputs: shape.outputs,
                fanInFanOut: configuration.further["fan_in_fan_out"] == "true", adapter: path)
        }
        guard let orientation else {
            throw refusal(
                "\(base.path) has \(weight.name) as \(weight.shape); the adapter of \(module.name) is for "
                    + "\(shape.outputs) outputs and \(shape.inputs) inputs")
        }
        let scale = configuration.scale(of: module.name)
        changes[weight.name, default: .init()].products.append(
            .init(
                module: module, outputs: 0..<shape.outputs, offset: 0, orientation: orientation, scale: scale))
        if let bias = module.bias {
            let target = try target(name + ".bias", for: module.name + ".lora_B.bias")
            guard target.shape == bias.shape else { throw differs(target, bias, module.name + ".lora_B.bias") }
            changes[target.name, default: .init()].addition = (bias, scale)
        }
    }

    private func checkMagnitudes(of adapter: AdapterFile) throws(AdapterFileError) {
        guard configuration.usesDoRA else { return }
        for module in adapter.modules {
            guard changes[names.inModel(module.name) + ".weight"]?.magnitude != nil else {
                throw refusal("\(module.name) has no lora_magnitude_vector, and its configuration says use_dora")
            }
        }
    }

    func differs(_ target: CheckpointFile.Tensor, _ found: TensorView, _ name: String) -> AdapterFileError {
        refusal("\(base.path) has \(target.name) as \(target.shape); \(name) is \(found.shape)")
    }
}

/// Merges experts, whose parameters a model stores together or one by one.
extension MergePlan {
    private mutating func addExperts(of adapter: AdapterFile) throws(AdapterFileError) {
        let experts = adapter.modules.filter { $0.expert != nil }
        let owners = Dictionary(grouping: experts, by: \.owner).sorted { $0.key < $1.key }
        for (owner, modules) in owners {
            let parameters = ConfigNames(json: configuration.further["target_parameters"] ?? "[]")
            let layout = try ExpertsLayout(
                owner: owner, modules: modules, parameters: Array(parameters), base: base, names: names, adapter: path)
            for part in layout.parts {
                let weight = try target(part.tensor, for: owner)
                changes[weight.name, default: .init()].products.append(
                    .init(
                        module: part.module, outputs: part.outputs, offset: part.offset,
                        orientation: part.orientation, scale: configuration.scale(of: owner)))
            }
        }
    }
}

/// Merges tensors beside the factors.
extension MergePlan {
    /// Whether PEFT saved this tensor as a copy, as it does with the biases of saved modules.
    private func isCopy(_ tensor: AdapterFile.Dense, in adapter: AdapterFile) throws(AdapterFileError) -> Bool {
        for part in [".modules_to_save.", ".original_module."] where tensor.name.contains(part) {
            let name = tensor.name.replacing(part, with: ".")
            guard let own = adapter[dense: name] else { throw refusal("\(tensor.name) comes without \(name)") }
            // The original module may differ from the trained one.
            guard part == ".original_module." || own.values.floats() == tensor.values.floats() else {
                throw refusal("\(tensor.name) and \(name) are one tensor of the model, and differ")
            }
            return true
        }
        return false
    }

    private mutating func add(_ tensor: AdapterFile.Dense) throws(AdapterFileError) {
        let name = tensor.name
        if let reason = TensorName.objection(toDense: name) { throw refusal("\(name) \(reason)") }
        if name.hasSuffix(TensorName.magnitude) {
            try addMagnitude(tensor, of: String(name.dropLast(TensorName.magnitude.count)))
        } else if name.hasSuffix(TensorName.trainedTokens) {
            try addRows(tensor, of: String(name.dropLast(TensorName.trainedTokens.count)))
        } else if name.hasSuffix(TensorName.wrappedWeight) || name.hasSuffix(TensorName.wrappedBias) {
            // PEFT's name for a wrapped module; in the model the tensor is the module's own.
            let target = try target(
                names.inModel(name.replacing(".base_layer.", with: ".")), for: name)
            try replace(target, by: tensor)
        } else if let found = base[names.inModel(name)] ?? base[name] {
            let target = try target(found.name, for: name)
            guard changes[target.name] == nil else {
                throw refusal("\(name) and another tensor of the adapter both stand for \(target.name) of \(base.path)")
            }
            try replace(target, by: tensor)
        } else {
            try addWhole(tensor)
        }
    }

    private mutating func replace(
        _ target: CheckpointFile.Tensor, by tensor: AdapterFile.Dense
    ) throws(AdapterFileError) {
        guard target.shape == tensor.values.shape else { throw differs(target, tensor.values, tensor.name) }
        guard changes[target.name]?.replacement == nil else {
            throw refusal("\(tensor.name) and another tensor of the adapter both stand for \(target.name)")
        }
        changes[target.name, default: .init()].replacement = tensor.values
    }

    private mutating func addMagnitude(_ tensor: AdapterFile.Dense, of module: String) throws(AdapterFileError) {
        guard configuration.usesDoRA else {
            throw refusal("\(tensor.name) came, and its configuration does not say use_dora")
        }
        let weight = names.inModel(module) + ".weight"
        guard let product = changes[weight]?.products.first, product.module.name == module else {
            throw refusal("\(tensor.name) is the magnitude of a module without factors")
        }
        guard tensor.values.elementCount == product.outputs.count else {
            throw refusal("\(tensor.name) is \(tensor.values.shape); \(module) has \(product.outputs.count) outputs")
        }
        changes[weight]?.magnitude = tensor.values
    }

    private mutating func addRows(_ tensor: AdapterFile.Dense, of module: String) throws(AdapterFileError) {
        let target = try target(names.inModel(module) + ".weight", for: module)
        let key = "trainable_token_indices"
        guard let positions = TokenIndices(json: configuration.further[key] ?? "null")?[module] else {
            throw refusal("\(tensor.name) needs the positions of its rows, which \(key) does not give for \(module)")
        }
        let shape = tensor.values.shape
        guard shape.count == 2, target.shape == [target.shape[0], shape[1]], shape[0] == positions.count else {
            throw refusal(
                "\(tensor.name) is \(shape) for \(positions.count) positions of \(key), and \(target.name) of "
                    + "\(base.path) is \(target.shape)")
        }
        if let outside = positions.first(where: { $0 < 0 || $0 >= target.shape[0] }) {
            throw refusal("\(key) has \(outside) for \(module), which has \(target.shape[0]) rows")
        }
        guard changes[target.name] == nil else {
            throw refusal("\(tensor.name) and another tensor of the adapter both stand for \(target.name)")
        }
        changes[target.name, default: .init()].rows = .init(positions: positions, values: tensor.values)
    }

    /// Adds a tensor of a completely saved module that the model lacks.
    private mutating func addWhole(_ tensor: AdapterFile.Dense) throws(AdapterFileError) {
        let saved = ConfigNames(json: configuration.further["modules_to_save"] ?? "[]")
        let path = tensor.name.split(separator: ".").dropLast().joined(separator: ".")
        guard saved.contains(where: { path.isModule($0) }) else {
            throw refusal("\(base.path) has no \(tensor.name), and no module of modules_to_save brings it")
        }
        if tensor.name.hasSuffix("lm_head.weight") || tensor.name.hasSuffix("proj_out.weight") {
            guard !base.facts.isEncoderDecoder else {
                throw refusal(
                    "\(tensor.name) would part an output head from embeddings that \(base.path) shares; PEFT merges it")
            }
            untiesHead = base.facts.text != nil
        }
        additions[tensor.name] = tensor.values
    }
}

/// Merges embeddings whose rows are also the output head.
extension MergePlan {
    private func checkTies() throws(AdapterFileError) {
        let heads = ["lm_head.weight", "proj_out.weight", "embed_out.weight", "lm_head.decoder.weight"]
        let hasHead =
            (Array(base.names) + additions.keys).contains { name in
                heads.contains { name == $0 || name.hasSuffix("." + $0) }
            } || base.names.contains { $0.hasSuffix("predictions.decoder.weight") }
        for (name, change) in changes {
            guard let tensor = base[name], change.isOfEmbedding else { continue }
            if change.products.isEmpty, configuration.further["ensure_weight_tying"] == "true" { continue }
            switch base.facts.ties(embedding: name, rows: tensor.shape[0], hasHead: hasHead) {
            case false?: continue
            case true?:
                throw refusal(
                    "\(name) is the output head of \(base.path) as well (tie_word_embeddings): adding to it would change "
                        + "the head, too; expected a base that was saved untied")
            case nil:
                throw refusal(
                    "\(name) may be the output head of \(base.path) as well; expected the model's folder, whose "
                        + "config.json tells")
            }
        }
    }
}

extension WeightChange {
    /// Whether it changes a whole embedding. PEFT applies changes of single rows to a tied head too.
    fileprivate var isOfEmbedding: Bool {
        if let replacement, replacement.shape.count == 2, rows == nil, products.isEmpty {
            return replacement.name.contains("embed") || replacement.name.contains("wte")
                || replacement.name.contains("shared.")
        }
        return products.contains { $0.module.isEmbedding }
    }
}

extension String {
    /// Whether a module's path has this name or is inside such a module.
    fileprivate func isModule(_ name: String) -> Bool {
        self == name || hasPrefix(name + ".") || hasSuffix("." + name) || contains("." + name + ".")
    }
}
