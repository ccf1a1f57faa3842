import StrictJSON

/// The rules for all modules of a conversion: where their scales come from.
struct ConversionTerms {
    /// PEFT's configurations, kept unchanged. If the file's metadata has them, there is one for each part of a
    /// pipeline.
    private let configs: [String: AdapterConfig]
    private let mlx: MLXConfig?
    private let alpha: Double?
    private let convention: ForeignName.Convention

    init(_ source: AdapterConversion.Source, _ convention: ForeignName.Convention) throws(ConversionError) {
        self.convention = convention
        alpha = source.alpha
        var configs: [String: AdapterConfig] = [:]
        var mlx: MLXConfig?
        if let configuration = source.configuration {
            mlx = try configuration.withUnsafeBufferPointer { text throws(ConversionError) in
                try MLXConfig(json: UnsafeRawBufferPointer(text))
            }
            if mlx == nil { configs[""] = try Self.config(configuration) }
        }
        if let metadata = source.file.metadata[Self.metadataKey] {
            configs.merge(try Self.configs(metadata)) { $1 }
        }
        self.configs = configs
        self.mlx = mlx
        if alpha != nil, mlx?.scale != nil || !configs.isEmpty {
            throw .scaleKnown(where: source.configuration == nil ? "the file's metadata" : "adapter_config.json")
        }
        try checkConfiguration()
    }

    /// Where diffusers keeps the configurations of its parts; each key follows the part's name and a dot.
    private static let metadataKey = "lora_adapter_metadata"

    /// Refuses a configuration of another program, which would otherwise be ignored without notice.
    private func checkConfiguration() throws(ConversionError) {
        if convention.carriesAlphas, mlx != nil || configs[""] != nil {
            throw .configuration(
                key: "r", reason: "cannot count: names of \(convention) carry their own alphas; give the file alone")
        }
        if convention == .mlx, configs[""] != nil {
            throw .configuration(key: "lora_parameters", reason: "is missing; MLX's factors need MLX's configuration")
        }
        if convention != .mlx, mlx != nil {
            throw .configuration(
                key: "lora_parameters", reason: "is of MLX's configurations; these factors have names of \(convention)")
        }
    }

    private static func config(_ text: [UInt8]) throws(ConversionError) -> AdapterConfig {
        do throws(AdapterConfigError) { return try AdapterConfig(json: text) } catch { throw .config(error) }
    }

    private static func configs(_ metadata: String) throws(ConversionError) -> [String: AdapterConfig] {
        let members: [String: [String]]
        do throws(JSONSyntaxError) {
            members = try Array(metadata.utf8).withUnsafeBufferPointer { text throws(JSONSyntaxError) in
                try Self.members(UnsafeRawBufferPointer(text))
            }
        } catch {
            throw .configuration(key: metadataKey, reason: "of the metadata is not sound JSON: \(error)")
        }
        var configs: [String: AdapterConfig] = [:]
        for (component, members) in members {
            configs[component] = try config(Array("{\(members.joined(separator: ","))}".utf8))
        }
        return configs
    }

    /// The members of each part's configuration.
    private static func members(_ text: UnsafeRawBufferPointer) throws(JSONSyntaxError) -> [String: [String]] {
        var members: [String: [String]] = [:]
        var scanner = JSONScanner(text)
        try scanner.beginObject()
        while let key = try scanner.nextName() {
            let value = try scanner.canonicalValue()
            let dot = key.firstIndex(of: ".") ?? key.startIndex
            let name = dot == key.startIndex ? key : String(key[key.index(after: dot)...])
            members[String(key[..<dot]), default: []].append("\(name.jsonQuoted):\(value)")
        }
        try scanner.finish()
        return members
    }
}

extension ConversionTerms {
    /// The adapter's own configuration; nil where there is none.
    func config(of component: String) -> AdapterConfig? { configs[component] }

    /// The value of PEFT's `lora_alpha` for a module.
    func alpha(of module: ConvertedModule) throws(ConversionError) -> Double {
        let rank = module.shape.maximumRank
        if let own = module.alpha {
            guard alpha == nil else { throw .scaleKnown(where: "the file") }
            return own
        }
        if let mlx {
            if let expected = mlx.rank, expected != rank {
                throw .shape(
                    tensor: module.tensors[0].source.name, found: module.tensors[0].source.shape,
                    expected: "rank \(expected), as adapter_config.json has it")
            }
            if let scale = mlx.scale { return scale * Double(rank) }
        }
        if let alpha { return alpha }
        // Without an alpha beside the factors, readers of such files use scale 1.
        guard convention.carriesAlphas else { throw .scaleUnknown(convention) }
        return Double(rank)
    }

    /// - Parameter isDoRA: whether the adapter has magnitudes.
    func check(isDoRA: Bool, beside tensor: String) throws(ConversionError) {
        guard let expected = mlx?.isDoRA, expected != isDoRA else { return }
        throw .configuration(
            key: "fine_tune_type",
            reason: expected
                ? "is dora, and \(tensor) has no magnitude beside it" : "is lora, and the file has magnitudes")
    }

    var dropout: Double? { mlx?.dropout }
}
