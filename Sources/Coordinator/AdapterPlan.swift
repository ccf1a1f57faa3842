import AdapterFormat
import Aggregation
import Federation

/// A federation's adapter settings, put into the terms of files, scales and strategies.
struct AdapterPlan: Sendable {
    let shape: AdapterShape
    let scaling: AdapterFormat.Scaling
    let strategy: Strategy
    private let adapter: FederationSettings.Adapter

    var maximumRank: Int { adapter.maximumRank }

    /// Throws where the modules are no adapter, or the strategy is unknown or cannot take them.
    init(_ settings: FederationSettings) throws(SettingsError) {
        let adapter = settings.adapter
        self.adapter = adapter
        scaling = AdapterFormat.Scaling(adapter.scaling)
        do throws(AdapterShapeError) {
            shape = try AdapterShape(
                modules: adapter.modules.map { ModuleShape($0.value, named: $0.key, maximumRank: adapter.maximumRank) },
                dense: adapter.dense.map { AdapterShape.Dense(name: $0.key, shape: $0.value) },
                type: ScalarType(adapter.elementType))
        } catch {
            throw SettingsError(path: "adapter", reason: "is refused: \(error)")
        }
        do throws(StrategyError) {
            strategy = try Strategy(named: settings.strategy.name, weighting: settings.strategy.weighting)
            try strategy.check(shape)
        } catch {
            throw SettingsError(path: "strategy", reason: "is refused: \(error)")
        }
    }

    /// The longest sound update: every tensor at its maximum rank in the widest type, and room for the header.
    var updateByteLimit: Int {
        let numbers =
            shape.modules.reduce(0) { $0 + $1.maximumRank * ($1.inputs + $1.outputs) + $1.outputs }
            + shape.dense.reduce(0) { $0 + $1.elementCount }
        return 8 * numbers + shape.readingLimits.headerBytes
    }

    /// The ranks that `rank` stands for, module by module.
    func ranks(for rank: Int) -> [String: Int] { adapter.ranks(forClientRank: rank) }

    /// Checks a file from a client and answers the client rank that it stands for.
    func validate(
        fileAt path: String, granted: [String: Int], clientRank: Int, round: Int
    ) throws(UpdateRefusal) -> Int {
        let file = try open(path)
        do throws(AdapterError) {
            try strategy.validate(file, shape: shape, ranks: granted, round: round)
        } catch {
            throw UpdateRefusal(error)
        }
        let isFull = file.modules.allSatisfy { granted[$0.name] == $0.rank }
        return isFull ? clientRank : min(clientRank, file.modules.map(\.rank).max() ?? clientRank)
    }

    /// A client's file, mapped.
    func open(_ path: String) throws(UpdateRefusal) -> AdapterFile {
        let file: SafetensorsFile
        do throws(SafetensorsError) {
            file = try SafetensorsFile(path: path, limits: shape.readingLimits)
        } catch {
            throw UpdateRefusal(error)
        }
        do throws(AdapterError) {
            return try AdapterFile(file)
        } catch {
            throw UpdateRefusal(error)
        }
    }
}

extension UpdateRefusal {
    init(_ error: SafetensorsError) {
        let code =
            switch error {
            case .unknownType, .unsupportedType: "update.dtype"
            default: "update.format"
            }
        self.init(code: code, detail: "\(error)", tensor: error.tensor)
    }

    /// The stable code of what a file is refused for.
    init(_ error: AdapterError) {
        let code =
            switch error {
            case .noModules, .missingFactor: "update.missing"
            case .duplicate, .mixedKinds, .otherKind, .notAFactor, .ranksDiffer: "update.format"
            case .unexpectedBias, .unknownModule, .unknownDense: "update.unknown"
            case .shape, .biasDiffers: "update.shape"
            case .rankAboveGrant, .rankNotFull: "update.rank"
            case .notFinite: "update.not_finite"
            case .quantised: "update.dtype"
            }
        self.init(code: code, detail: "\(error)", tensor: error.tensor)
    }
}

extension ModuleShape {
    init(_ module: FederationSettings.Module, named name: String, maximumRank: Int) {
        let kind: Kind
        var inputs = module.inputs
        switch module.kind {
        case .linear: kind = .linear
        case .embedding: kind = .embedding
        case .convolution(let height, let width):
            kind = .conv2d(height: height, width: width)
            inputs *= height * width
        }
        self.init(
            name: name, kind: kind, inputs: inputs, outputs: module.outputs,
            maximumRank: module.maximumRank ?? maximumRank, hasBias: module.bias)
    }
}

extension AdapterFormat.Scaling {
    init(_ scaling: FederationSettings.Scaling) {
        switch scaling {
        case .constant(let value): self = .constant(value)
        case .lora(let alpha): self = .lora(alpha: alpha)
        case .rslora(let alpha): self = .rslora(alpha: alpha)
        }
    }
}

extension ScalarType {
    init(_ type: FederationSettings.ElementType) {
        switch type {
        case .float32: self = .f32
        case .float16: self = .f16
        case .bfloat16: self = .bf16
        }
    }
}

extension FederationSettings.Adapter {
    /// The scale at which each module is trained at these ranks.
    func scales(atRanks ranks: [String: Int]) -> [String: Double] {
        let scaling = AdapterFormat.Scaling(scaling)
        return ranks.mapValues { scaling.scale(atRank: $0) }
    }
}
