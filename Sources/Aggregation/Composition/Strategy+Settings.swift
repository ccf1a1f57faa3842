/// Composes a strategy from a federation's settings.
extension Strategy {
    /// Composes the strategy that a federation's settings name.
    ///
    /// - Parameters:
    ///   - weighting: nil for the strategy's default, which is by samples unless its recipe allows only one.
    ///   - parameters: the settings' other keys; each must belong to the strategy or to `ranking` weights.
    ///   - robust: only with strategies that publish nothing but means of factors.
    ///   - sum: `exact` only where the result is a mean of rows, by weights that no other client's update changes.
    package init(
        named name: String, weighting: String? = nil, parameters: [String: ParameterValue] = [:],
        optimizer: ServerOptimizer = .none, sum: SumKind = .float, robust: RobustRule? = nil
    ) throws(StrategyError) {
        guard let type = Self.recipe(named: name) else { throw .unknownStrategy(name) }
        var rest = StrategyParameters(parameters, of: name)
        let recipe = try type.init(&rest)
        let weights = try Self.weighting(named: weighting, for: recipe, &rest)
        try rest.finish()
        guard optimizer == .none || recipe.isContinuous else { throw .optimizer(strategy: name) }
        if let robust, !type.takesRules { throw .robust(strategy: name, rule: robust.name) }
        if sum == .exact, let robust {
            throw .exactSum(
                strategy: name, reason: "is under the robust rule \(robust.name), which needs all updates at one place")
        }
        if sum == .exact, let objection = recipe.objectionToExactSum ?? weights.objectionToExactSum {
            throw .exactSum(strategy: name, reason: objection)
        }
        self.init(
            recipe, weighting: weights, parameters: rest.effective,
            optimizer: optimizer == .none ? recipe.optimizer : optimizer, sum: sum,
            robust: robust)
    }

    private static func weighting(
        named name: String?, for recipe: any StrategyRecipe, _ parameters: inout StrategyParameters
    ) throws(StrategyError) -> Weighting {
        if let only = recipe.weighting {
            guard name == nil || name == only.name else {
                throw .weighting(strategy: type(of: recipe).name, needed: only.name, found: name ?? "")
            }
            return only
        }
        switch name ?? "samples" {
        case "samples": return .samples
        case "uniform": return .uniform
        case "norm": return .norm
        case "ranking": return .ranking(normShare: try parameters.number("norm_share", in: 0...1, default: 0.5))
        case "loss": return .loss(power: try parameters.number("q", in: 0...100, default: 1))
        case let other: throw .unknownWeighting(other)
        }
    }
}
