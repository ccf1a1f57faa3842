/// Converts an adapter with another program's names into one adapter of PEFT's for each part of a pipeline.
///
/// Every tensor of the file is converted or refused by name.
package struct AdapterConversion: Sendable {
    /// The input of a conversion.
    package struct Source {
        package let file: SafetensorsFile
        /// The text of the `adapter_config.json` beside the file.
        package let configuration: [UInt8]?
        /// The `lora_alpha` of all modules, if neither file nor configuration has one.
        package let alpha: Double?
        /// The base models' own names, which resolve flattened names.
        package let models: ModelModules?

        package init(
            _ file: SafetensorsFile, configuration: [UInt8]? = nil, alpha: Double? = nil, models: ModelModules? = nil
        ) {
            self.file = file
            self.configuration = configuration
            self.alpha = alpha
            self.models = models
        }
    }

    /// The recognised format.
    package let convention: ForeignName.Convention
    /// Ascending by name; a single adapter's name has no meaning.
    package let adapters: [ConvertedAdapter]

    /// Converts the file.
    ///
    /// - Throws: the reason with the name of the tensor, where a tensor cannot be converted.
    package init(_ source: Source) throws(ConversionError) {
        let file = source.file
        for tensor in file.tensors where tensor.messageBits != nil {
            throw .unsupported(tensor: tensor.name, reason: "it is quantised as a federation's message")
        }
        let names = try Self.names(of: file)
        convention = names.convention
        let terms = try ConversionTerms(source, names.convention)
        var modules: [String: ForeignModule] = [:]
        var dense: [TensorView] = []
        for (name, tensor) in zip(names.all, file.tensors) {
            if name.part == .dense {
                dense.append(tensor)
            } else {
                try modules[name.module, default: ForeignModule(name.module, convention)].put(tensor, name)
            }
        }
        var adapters: [String: ConvertedAdapter] = [:]
        for module in modules.values.sorted(by: { $0.name.precedes($1.name) }) {
            let (component, path) = try module.place(among: source.models)
            try adapters[component, default: ConvertedAdapter(name: component)].take(
                try module.converted(at: path, weight: source.models?.weights[path] ?? nil), terms: terms)
        }
        for tensor in dense {
            guard let name = ForeignName(parsing: tensor.name) ?? Self.denseName(tensor.name, convention) else {
                continue
            }
            try adapters["", default: ConvertedAdapter(name: "")].take(tensor, named: name.module)
        }
        let sorted = adapters.values.sorted { $0.name.precedes($1.name) }
        var finished: [ConvertedAdapter] = []
        for var adapter in sorted {
            try adapter.finish(terms)
            finished.append(adapter)
        }
        self.adapters = finished
    }

    /// Reads every tensor's name, using the other names as context.
    private static func names(
        of file: SafetensorsFile
    ) throws(ConversionError) -> (all: [ForeignName], convention: ForeignName.Convention) {
        guard let first = file.tensors.first else { throw .empty }
        let read = file.tensors.map { ForeignName(parsing: $0.name) ?? partOfPipeline($0.name) }
        let factors = read.compactMap(\.self).filter { $0.part != .dense }
        guard let convention = factors.first?.convention else {
            let isPEFT = file.tensors.contains { tensor in
                if case .dense = TensorName(parsing: tensor.name) { false } else { true }
            }
            throw isPEFT ? .nothingToConvert : .noFactor(tensor: first.name)
        }
        if let other = read.compactMap(\.self).first(where: { $0.convention != convention }) {
            throw .mixed(tensor: other.tensor, other.convention, beside: convention)
        }
        let modules = Set(factors.map(\.module))
        var all: [ForeignName] = []
        for (tensor, name) in zip(file.tensors, read) {
            if let name {
                all.append(name)
                continue
            }
            guard let name = neighbour(tensor.name, of: modules, convention) ?? denseName(tensor.name, convention)
            else {
                throw .unknownTensor(tensor.name, convention)
            }
            all.append(name)
        }
        return (all, convention)
    }

    /// PEFT's factors under a pipeline's names, as diffusers saves them today: `unet.….lora_A.weight`.
    private static func partOfPipeline(_ name: String) -> ForeignName? {
        let words = name.split(separator: ".", maxSplits: 2)
        guard words.count == 3, DiffusersPath.components.contains(String(words[0])) else { return nil }
        // Language models have a module `transformer` as well.
        guard words[0] != "transformer" || words[1].hasSuffix("transformer_blocks") else { return nil }
        let part: ForeignName.Part
        let path: String
        switch TensorName(parsing: name) {
        case .factorA(let module, false): (path, part) = (module, .a)
        case .factorB(let module, false): (path, part) = (module, .b)
        case .bias(let module): (path, part) = (module, .bias)
        case .dense(let bare) where bare.hasSuffix(TensorName.magnitude):
            (path, part) = (String(bare.dropLast(TensorName.magnitude.count)), .magnitude)
        case .dense, .factorA, .factorB: return nil
        }
        return ForeignName(tensor: name, convention: .diffusers, module: path, part: part)
    }

    /// A tensor whose meaning only its neighbours tell.
    private static func neighbour(
        _ name: String, of modules: Set<String>, _ convention: ForeignName.Convention
    ) -> ForeignName? {
        let suffixes: [(String, ForeignName.Part)] =
            switch convention {
            case .kohya, .diffusers: [(".alpha", .alpha), (".dora_scale", .magnitude)]
            case .mlx: [(".m", .magnitude)]
            case .loralib: [(".magnitude", .magnitude)]
            case .memory, .lycoris: []
            }
        for (suffix, part) in suffixes where name.hasSuffix(suffix) {
            let module = String(name.dropLast(suffix.count))
            if modules.contains(module) {
                return ForeignName(tensor: name, convention: convention, module: module, part: part)
            }
        }
        return nil
    }

    /// A tensor beside the factors. PEFT's model in memory uses the same names as PEFT's files.
    private static func denseName(_ name: String, _ convention: ForeignName.Convention) -> ForeignName? {
        guard convention == .memory, case .dense(let bare) = TensorName(parsing: name) else { return nil }
        return ForeignName(tensor: name, convention: .memory, module: bare, part: .dense)
    }
}
