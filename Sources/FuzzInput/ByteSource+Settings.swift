import Aggregation
package import Federation

/// Settings out of bytes.
extension ByteSource {
    private static let parameters = Strategy.parameterNames

    /// Settings of which any may be unsound.
    package mutating func settings() throws -> FederationSettings {
        var settings = FederationSettings(
            id: try FederationID("f"), baseModel: .init(name: "m", seed: nil, sha256: nil), adapter: adapter(),
            strategy: .init(
                name: pick(Strategy.names),
                weighting: pick([nil, nil, "samples", "uniform", "norm", "ranking", "loss"]),
                parameters: strategyParameters()),
            server: .init(optimizer: pick(["none", "none", "momentum", "adam"]), learningRate: flag() ? 1 : number()),
            policy: policy(), limits: limits(), training: "{}", seed: UInt64(byte()))
        settings.strategy.sum = pick([.float, .float, .exact])
        if byte() % 4 == 0 {
            var parameters: [String: FederationSettings.Parameter] = [:]
            for _ in 0..<byte() % 3 {
                parameters[pick(RobustRule.parameterNames)] =
                    flag() ? .number(number()) : .number(Double(integer() % 8))
            }
            settings.robust = .init(rule: pick(RobustRule.names), parameters: parameters)
        }
        settings.evaluation = evaluation()
        return settings
    }

    private mutating func strategyParameters() -> [String: FederationSettings.Parameter] {
        var found: [String: FederationSettings.Parameter] = [:]
        for _ in 0..<byte() % 3 {
            let name = pick(Self.parameters)
            found[name] = flag() ? .number(number()) : flag() ? .flag(true) : .number(Double(integer()))
        }
        return found
    }

    private mutating func adapter() -> FederationSettings.Adapter {
        var modules: [String: FederationSettings.Module] = [:]
        for index in 0...byte() % 3 {
            let kind: FederationSettings.Module.Kind =
                switch byte() % 8 {
                case 0: .convolution(height: integer(), width: integer())
                case 1: .embedding
                case 2: .experts(count: integer() % 600)
                default: .linear
                }
            modules["m\(index)"] = .init(
                kind: kind, inputs: integer(), outputs: integer(), maximumRank: flag() ? nil : integer(), bias: flag(),
                alpha: byte() % 4 == 0 ? number() : nil)
        }
        var dense: [String: FederationSettings.Dense] = [:]
        if byte() % 4 == 0 {
            dense["head"] = .init(
                shape: (0..<byte() % 4).map { _ in integer() },
                initial: pick([.base, .zeros, .ones, .normal(number())]))
        }
        return FederationSettings.Adapter(
            maximumRank: integer(),
            scaling: pick([.constant(1), .constant(number()), .lora(alpha: number()), .rslora(alpha: number())]),
            elementType: pick(FederationSettings.ElementType.allCases), modules: modules, dense: dense,
            messageBits: pick([nil, nil, 4, 8, 5]),
            config: byte() % 4 == 0 ? ["target_parameters": "[\"m0\"]"] : [:])
    }

    private mutating func policy() -> RoundPolicy {
        RoundPolicy(
            total: integer(), minimumClients: integer(), minimumUpdates: integer(),
            targetUpdates: flag() ? nil : integer(), deadlineSeconds: number(),
            onMissedQuorum: pick(RoundPolicy.MissedQuorum.allCases),
            selection: pick([.fraction(1), .fraction(number()), .count(integer())]),
            preference: pick(RoundPolicy.Preference.allCases), overSelection: flag() ? 0 : number(),
            seenSeconds: number(), minimumCoverage: flag() ? nil : integer(),
            buffer: byte() % 4 == 0
                ? .init(size: integer(), stalenessExponent: number(), maximumStaleness: integer()) : nil)
    }

    private mutating func limits() -> FederationSettings.Limits {
        .init(
            clients: 1 + integer() % 1000, samples: integer(), norm: flag() ? nil : number(),
            normOverMedian: flag() ? nil : number(), factorOverMedian: flag() ? 30 : number())
    }
}
