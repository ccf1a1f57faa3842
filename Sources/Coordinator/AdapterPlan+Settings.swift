import AdapterFormat
import Aggregation
package import Federation

extension Strategy {
    init(_ settings: FederationSettings, robust: RobustRule?) throws(StrategyError) {
        try self.init(
            named: settings.strategy.name, weighting: settings.strategy.weighting,
            parameters: settings.strategy.parameters.mapValues(ParameterValue.init),
            optimizer: ServerOptimizer(named: settings.server.optimizer, learningRate: settings.server.learningRate),
            sum: SumKind(settings.strategy.sum), robust: robust)
    }
}

extension RobustRule {
    init(_ settings: FederationSettings.Robust) throws(SettingsError) {
        do throws(StrategyError) {
            try self.init(named: settings.rule, parameters: settings.parameters.mapValues(ParameterValue.init))
        } catch {
            let path =
                switch error {
                case .unknownParameter(_, let name, _), .parameter(_, let name, _, _): "robust.\(name)"
                default: "robust.rule"
                }
            throw SettingsError(path: path, reason: "is refused: \(error)")
        }
    }
}

extension SumKind {
    fileprivate init(_ sum: FederationSettings.Sum) {
        switch sum {
        case .float: self = .float
        case .exact: self = .exact
        }
    }
}

extension ParameterValue {
    fileprivate init(_ parameter: FederationSettings.Parameter) {
        switch parameter {
        case .number(let value): self = .number(value)
        case .flag(let value): self = .flag(value)
        case .null: self = .null
        }
    }
}

extension FederationSettings.Parameter {
    init(_ value: ParameterValue) {
        switch value {
        case .number(let value): self = .number(value)
        case .flag(let value): self = .flag(value)
        case .null: self = .null
        }
    }
}

extension SettingsError {
    /// Names the settings key that prevents the strategy from being composed.
    init(_ error: StrategyError) {
        let path =
            switch error {
            case .unknownStrategy: "strategy.name"
            case .unknownWeighting, .weighting: "strategy.weighting"
            case .unknownOptimizer, .optimizer: "server.optimizer"
            case .exactSum: "strategy.sum"
            case .robust, .unknownRule: "robust.rule"
            case .unknownParameter(_, let name, _), .parameter(_, let name, _, _): "strategy.\(name)"
            case .magnitude(_, let tensor), .noInitialValue(_, let tensor): "adapter.dense.\(tensor)"
            case .experts(_, let module), .sparseMatrix(_, let module): "adapter.modules.\(module)"
            }
        self.init(path: path, reason: "is refused: \(error)")
    }
}

extension ModuleShape {
    /// The shape of a module, or the shapes of its experts. The number of experts is 0 or more.
    static func all(
        of module: FederationSettings.Module, named name: String, maximumRank: Int
    ) -> [ModuleShape] {
        var kind = Kind.linear
        var inputs = module.inputs
        var experts: [Expert?] = [nil]
        switch module.kind {
        case .linear: break
        case .embedding: kind = .embedding
        case .convolution(let height, let width):
            kind = .conv2d(height: height, width: width)
            // The product of stored sizes may not fit an Int; the shape then refuses it.
            for side in [height, width] {
                let (product, overflow) = inputs.multipliedReportingOverflow(by: side)
                inputs = overflow ? .max : product
            }
        case .experts(let count): experts = (0..<count).map { Expert(index: $0, count: count) }
        }
        return experts.map { expert in
            ModuleShape(
                name: name, kind: kind, inputs: inputs, outputs: module.outputs,
                maximumRank: module.maximumRank ?? maximumRank, hasBias: module.bias, alpha: module.alpha,
                expert: expert)
        }
    }
}

extension AdapterShape.InitialValues {
    init(_ initial: FederationSettings.InitialValues) {
        switch initial {
        case .base: self = .base
        case .zeros: self = .zeros
        case .ones: self = .ones
        case .normal(let deviation): self = .normal(deviation)
        case .template: self = .template
        }
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
    package func scales(atRanks ranks: [String: Int]) -> [String: Double] {
        let scaling = AdapterFormat.Scaling(scaling)
        return Dictionary(
            uniqueKeysWithValues: ranks.map { name, rank in
                (name, scaling.with(alpha: modules[name]?.alpha).scale(atRank: rank))
            })
    }
}
