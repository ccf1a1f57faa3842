package import AdapterFormat

/// Fuses two adapters into one: p·(scale·B·A) of a personal one plus s·(scale·B·A) of a shared one (`fdlora`).
///
/// The result is exact; its rank is the sum of both ranks. Tensors beside the factors are mixed in the ratio of p to s.
package struct AdapterFusion: Sendable {
    /// The weights p and s of the two adapters.
    package struct MixingWeights: Sendable, Hashable {
        package let personal: Double
        package let shared: Double

        package init(personal: Double, shared: Double) {
            self.personal = personal
            self.shared = shared
        }

        /// The personal weight for tensors that are not factors.
        fileprivate var personalPart: Float {
            personal + shared > 0 ? Float(personal / (personal + shared)) : 0
        }
    }

    private let personal: AdapterFile
    private let personalScales: [String: Double]
    private let shared: AdapterFile
    private let sharedScales: [String: Double]
    /// Every rank is the sum of both adapters' ranks.
    package let shape: AdapterShape
    /// The keys of the shared adapter's configuration besides ranks and scales.
    private let carried: [String: String]

    /// - Parameters:
    ///   - personal: a folder in PEFT's form; the same holds for `shared`.
    package init(personal: String, shared: String) throws {
        let (ownConfig, config): (AdapterConfig, AdapterConfig)
        (self.personal, personalScales, ownConfig) = try Self.read(personal)
        (self.shared, sharedScales, config) = try Self.read(shared)
        carried = config.further
        for key in ConfigKey.all {
            guard case .carried(let standard) = key.treatment else { continue }
            let (own, other) = (ownConfig.further[key.name] ?? standard, config.further[key.name] ?? standard)
            guard own == other else {
                throw AdapterFileError.adapter(
                    file: personal, reason: "its configuration's \(key.name) is \(own), and \(other) in \(shared)")
            }
        }
        let names = [self.personal, self.shared].map { Set($0.modules.map(\.name) + $0.dense.map(\.name)) }
        if let name = names[0].symmetricDifference(names[1]).min() {
            let (has, lacks) = names[0].contains(name) ? (personal, shared) : (shared, personal)
            throw AdapterFileError.adapter(file: has, reason: "it has \(name), which \(lacks) has not")
        }
        var modules: [ModuleShape] = []
        for module in self.shared.modules {
            guard let own = self.personal[module: module.name], let shape = module.shape, let other = own.shape,
                shape.inputs == other.inputs, shape.outputs == other.outputs, shape.kind == other.kind,
                !shape.hasBias, !other.hasBias, ModuleFactors(module) != nil, ModuleFactors(own) != nil
            else {
                throw AdapterFileError.adapter(
                    file: personal,
                    reason: "\(module.name) cannot be fused with \(shared)'s: both have A and B of one size")
            }
            modules.append(
                ModuleShape(
                    name: module.name, kind: shape.kind, inputs: shape.inputs, outputs: shape.outputs,
                    maximumRank: module.rank + own.rank))
        }
        for tensor in self.shared.dense
        where self.personal.dense.first(where: { $0.name == tensor.name })?.values.shape != tensor.values.shape {
            throw AdapterFileError.adapter(
                file: personal, reason: "\(tensor.name) is of another shape than \(shared)'s")
        }
        shape = try AdapterShape(
            modules: modules, dense: self.shared.dense.map { .init(name: $0.name, shape: $0.values.shape) })
    }

    /// Writes the fused adapter, with scale 1.
    package func write(_ weights: MixingWeights, to path: String) throws(AdapterFileError) {
        try WholeFile.replace(path) { descriptor in
            var writer = try AdapterWriter(shape: shape, descriptor: descriptor)
            for module in shape.modules {
                guard let own = factors(personal, module), let other = factors(shared, module) else { continue }
                let factors = [
                    Float(weights.personal * (personalScales[module.name] ?? 1)),
                    Float(weights.shared * (sharedScales[module.name] ?? 1)),
                ]
                try writer.take(
                    ModuleFactors(
                        rank: module.maximumRank, inputs: module.inputs, outputs: module.outputs, a: own.a + other.a,
                        b: own.b.map { factors[0] * $0 } + other.b.map { factors[1] * $0 }), of: module)
            }
            for tensor in shape.dense {
                let (own, other) = (values(personal, tensor), values(shared, tensor))
                let part = weights.personalPart
                try writer.take(zip(own, other).map { part * $0 + (1 - part) * $1 }, of: tensor)
            }
            try writer.finish()
        }
    }

    /// The configuration with which PEFT uses the fused file.
    package var configuration: AdapterConfig { AdapterConfig(shape: shape, scaling: .constant(1), carried: carried) }

    private func factors(_ file: AdapterFile, _ module: ModuleShape) -> ModuleFactors? {
        file[module: module.name].flatMap { ModuleFactors($0) }
    }

    private func values(_ file: AdapterFile, _ tensor: AdapterShape.Dense) -> [Float] {
        file.dense.first { $0.name == tensor.name }?.values.floats() ?? []
    }

    private static func read(_ folder: String) throws -> (AdapterFile, [String: Double], AdapterConfig) {
        let path = folder + "/adapter_model.safetensors"
        let file = try AdapterFile(path: path, checked: true)
        let config = try AdapterConfig(of: path)
        // For two directions with magnitudes, no mixture of factors equals the mixture of the products.
        if let tensor = file.dense.first(where: { $0.name.hasSuffix(TensorName.magnitude) }) {
            throw AdapterFileError.adapter(
                file: path, reason: "it holds \(tensor.name): adapters with DoRA cannot be fused")
        }
        return (file, try config.nativeScales(of: file, at: path), config)
    }
}
