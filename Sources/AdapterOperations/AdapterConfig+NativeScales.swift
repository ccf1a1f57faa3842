package import AdapterFormat
import FoundationEssentials

extension AdapterConfig {
    /// Reads the configuration at `path`, or the one beside an adapter.
    package init(of adapter: String, at path: String? = nil) throws(AdapterFileError) {
        let path = path ?? URL(fileURLWithPath: adapter).deletingLastPathComponent().path + "/adapter_config.json"
        guard let text = FileManager.default.contents(atPath: path) else {
            throw .file(path, reason: "cannot be read; it gives the adapter's scales")
        }
        do throws(AdapterConfigError) {
            self = try AdapterConfig(json: Array(text))
        } catch {
            throw .file(path, reason: "\(error)")
        }
    }

    /// The factor of every module's product in a file, where native models can compute what the configuration says.
    ///
    /// - Parameters:
    ///   - path: the path of the file.
    ///   - isItsOwn: whether it is the file's own configuration. Otherwise it was given for several adapters, whose
    ///     ranks may differ.
    /// - Throws: where a file's own configuration has other ranks than the file, or where the configuration requires a
    ///   computation that is not supported here.
    package func nativeScales(
        of file: AdapterFile, at path: String, isItsOwn: Bool = true
    ) throws(AdapterFileError) -> [String: Double] {
        do throws(ConfigRefusal) {
            try AdapterShape.checkMeaning(of: self)
        } catch {
            throw .adapter(file: path, reason: "its configuration: \(error)")
        }
        for (key, harmless) in Self.computedElsewhere {
            guard let value = further[key], !harmless.contains(value) else { continue }
            throw .adapter(
                file: path,
                reason: "its configuration's \(key) is \(value.prefix(200)), which native models do not compute")
        }
        if usesDoRA, !file.dense.contains(where: { $0.name.hasSuffix(TensorName.magnitude) }) {
            throw .adapter(file: path, reason: "its configuration's use_dora is true: native models compute plain LoRA")
        }
        for module in file.modules where isItsOwn && module.rank != rank(of: module.owner) {
            throw .adapter(
                file: path,
                reason: "\(module.owner) has rank \(module.rank); its configuration says \(rank(of: module.owner))")
        }
        return scales(of: file)
    }

    /// Keys that give PEFT's factors another meaning than a product added to a layer's weight.
    private static let computedElsewhere: [(key: String, unless: Set<String>)] = [
        ("alora_invocation_tokens", ["null", "[]"]), ("layer_replication", ["null", "[]"]),
        ("target_parameters", ["null", "[]"]), ("trainable_token_indices", ["null", "[]", "{}"]),
    ]

    /// The factor of every module's product in a file.
    package func scales(of file: AdapterFile) -> [String: Double] {
        var scales: [String: Double] = [:]
        for module in file.modules { scales[module.name] = scale(of: module.name) }
        return scales
    }
}
