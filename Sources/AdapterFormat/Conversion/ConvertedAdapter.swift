/// One adapter as PEFT's two files have it.
package struct ConvertedAdapter: Sendable {
    /// The part of a pipeline that it adapts, such as `unet`; empty where the names do not say.
    package let name: String
    /// Ascending by path.
    package private(set) var modules: [ModuleShape] = []
    package private(set) var config = AdapterConfig()
    private var tensors: [ConvertedTensor] = []
    private var dense: [AdapterShape.Dense] = []
    /// The source tensor of each name.
    private var sources: [String: String] = [:]
    private var hasMagnitude: [String: Bool] = [:]

    init(name: String) { self.name = name }

    mutating func take(_ module: ConvertedModule, terms: ConversionTerms) throws(ConversionError) {
        for tensor in module.tensors + [module.magnitude].compactMap(\.self) { try take(tensor) }
        if let magnitude = module.magnitude {
            dense.append(.init(name: TensorName(parsing: magnitude.name).bare, shape: magnitude.shape))
        }
        hasMagnitude[module.tensors[0].source.name] = module.magnitude != nil
        let alpha = terms.config(of: name) == nil ? try terms.alpha(of: module) : nil
        modules.append(module.shape.with(alpha: alpha))
    }

    /// A tensor that was trained in full.
    mutating func take(_ tensor: TensorView, named name: String) throws(ConversionError) {
        try take(ConvertedTensor(tensor, as: .dense(name)))
        dense.append(.init(name: name, shape: tensor.shape))
    }

    private mutating func take(_ tensor: ConvertedTensor) throws(ConversionError) {
        if let other = sources.updateValue(tensor.source.name, forKey: tensor.name) {
            throw .duplicate(tensor: other, other: tensor.source.name, name: tensor.name)
        }
        tensors.append(tensor)
    }

    /// Makes the configuration and checks it against the tensors.
    mutating func finish(_ terms: ConversionTerms) throws(ConversionError) {
        modules.sort { $0.name.precedes($1.name) }
        let isDoRA = hasMagnitude.values.contains(true)
        if isDoRA, let plain = hasMagnitude.filter({ !$0.value }).keys.min(by: { $0.precedes($1) }) {
            throw .missing(
                part: "a magnitude", beside: "\(plain), as others have one; PEFT's use_dora goes for all modules")
        }
        try terms.check(isDoRA: isDoRA, beside: tensors.first?.source.name ?? "")
        let shape: AdapterShape
        do throws(AdapterShapeError) { shape = try AdapterShape(modules: modules, dense: dense) } catch {
            throw .shapes(error)
        }
        if let given = terms.config(of: name) {
            try check(given, isDoRA: isDoRA)
            config = given
        } else {
            config = AdapterConfig(shape: shape, scaling: .lora(alpha: modules.first?.alpha ?? 0))
            if let dropout = terms.dropout { config.further["lora_dropout"] = "\(dropout)" }
        }
    }

    private func check(_ config: AdapterConfig, isDoRA: Bool) throws(ConversionError) {
        guard config.usesDoRA == isDoRA else {
            throw .configuration(
                key: "use_dora", reason: "is \(config.usesDoRA), and the file has \(isDoRA ? "" : "no ")magnitudes")
        }
        // The factors of a parameter's experts are packed.
        let arePacked = !["null", "[]"].contains(config.further["target_parameters"] ?? "null")
        for module in modules {
            let rank = config.rank(of: module.name)
            guard module.maximumRank != rank, !(arePacked && module.maximumRank.isMultiple(of: rank)) else { continue }
            throw .configuration(
                key: config.rankRules.isEmpty ? "r" : "rank_pattern",
                reason: "is \(rank), and \(module.name) has rank \(module.maximumRank) in the file")
        }
    }

    /// All ranks in the adapter, ascending.
    package var ranks: [Int] { Set(modules.map(\.maximumRank)).sorted() }

    /// All scales in the adapter, ascending.
    package var scales: [Double] { Set(modules.map { config.scale(of: $0.name) }).sorted() }

    /// Writes `adapter_model.safetensors`.
    ///
    /// - Parameter descriptor: an empty file, open for writing; the caller syncs and closes it.
    package func write(to descriptor: Int32) throws(SafetensorsWriteError) {
        let layout = try SafetensorsLayout(tensors: tensors.map(\.layout))
        var file = try SafetensorsWriter(layout: layout, descriptor: descriptor)
        for tensor in tensors { try tensor.write(to: &file) }
        try file.finish()
    }
}
