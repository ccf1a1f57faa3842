import AdapterFormat
import Aggregation
package import Federation

extension Strategy {
    init(_ settings: FederationSettings) throws(StrategyError) {
        try self.init(
            named: settings.strategy.name, weighting: settings.strategy.weighting,
            parameters: settings.strategy.parameters.mapValues(ParameterValue.init),
            optimizer: ServerOptimizer(named: settings.server.optimizer, learningRate: settings.server.learningRate))
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
    /// Names the key of the settings that a strategy cannot be composed of.
    init(_ error: StrategyError) {
        let path =
            switch error {
            case .unknownStrategy: "strategy.name"
            case .unknownWeighting, .weighting: "strategy.weighting"
            case .unknownOptimizer, .optimizer: "server.optimizer"
            case .unknownParameter(_, let name, _), .parameter(_, let name, _, _): "strategy.\(name)"
            case .magnitude(_, let tensor): "adapter.dense.\(tensor)"
            }
        self.init(path: path, reason: "is refused: \(error)")
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
    package func scales(atRanks ranks: [String: Int]) -> [String: Double] {
        let scaling = AdapterFormat.Scaling(scaling)
        return ranks.mapValues { scaling.scale(atRank: $0) }
    }
}
