import AdapterFormat

/// The parts of a strategy.
struct Recipe {
    var admission = Admission.anyRank
    var publishesMerge = false
    /// Whether a server optimizer can work on its factors.
    var isContinuous = false
    /// The only weighting that it allows; nil for any, with samples as the default.
    var weighting: Weighting?
    /// The default optimizer.
    var optimizer = ServerOptimizer.none
    var schedule: RankSchedule?
    var sparse: SparseStart?
    var demand: @Sendable (_ round: Int) -> ClientDemand = { _ in ClientDemand() }
    let projection: @Sendable (_ round: Int) -> any Projection
}

extension Strategy {
    /// Takes a strategy's own parameters and returns its parts.
    private typealias Composition = @Sendable (inout StrategyParameters) throws(StrategyError) -> Recipe

    /// The names of all strategies, ascending.
    package static let names: [String] = compositions.keys.sorted()

    private static let compositions: [String: Composition] = [
        "fedavg": { _ in
            Recipe(admission: .fullRank, isContinuous: true) { _ in FactorMean(coverage: .padded) }
        },
        "zeropad": { _ in Recipe(isContinuous: true) { _ in FactorMean(coverage: .padded) } },
        "rbla": { _ in Recipe(isContinuous: true) { _ in FactorMean(coverage: .reached) } },
        "hetlora": hetlora,
        "flora": { _ in
            Recipe(
                publishesMerge: true,
                demand: { ClientDemand(isFresh: true, drawnRound: $0 - 1) }
            ) { _ in StackedMerge() }
        },
        "flexlora": { _ in Recipe { _ in ProductMean(coverage: .padded) } },
        "raflora": { _ in Recipe { _ in ProductMean(coverage: .reached) } },
        "fedex": fedex,
        "lora-fair": { parameters throws(StrategyError) in
            let ridge = try parameters.number("ridge", in: 1e-12...1e12, default: 0.01)
            return Recipe { _ in RefinedMean(ridge: ridge) }
        },
        "rolora": { _ in
            Recipe(
                isContinuous: true, demand: { ClientDemand(factors: trainedByRoLoRA(in: $0)) }
            ) { FactorMean(coverage: .reached, factors: trainedByRoLoRA(in: $0)) }
        },
        "ffa": { _ in
            Recipe(
                isContinuous: true, demand: { _ in ClientDemand(factors: .b, drawnRound: 0) }
            ) { _ in FactorMean(coverage: .reached, factors: .b) }
        },
        "rac-lora": { _ in
            Recipe(
                publishesMerge: true,
                demand: { ClientDemand(factors: .b, isFresh: true, drawnRound: $0 - 1) }
            ) { _ in DrawnFactorMerge() }
        },
        "sa-fedlora": annealed,
        "slora": { parameters throws(StrategyError) in
            let rounds = try parameters.integer("sparse_rounds", in: 0...1_000_000, default: 5)
            let density = try parameters.number("density", in: 1e-9...1, default: 0.01)
            return Recipe(sparse: SparseStart(rounds: rounds, density: density)) { _ in
                FactorMean(coverage: .reached)
            }
        },
        "fdlora": { _ in
            Recipe(isContinuous: true, optimizer: .momentum(rate: 0.1)) { _ in FactorMean(coverage: .reached) }
        },
    ]

    private static func trainedByRoLoRA(in round: Int) -> FactorSet { round.isMultiple(of: 2) ? .a : .b }

    private static let hetlora: Composition = { parameters throws(StrategyError) in
        let pruning = ClientDemand.Pruning(
            gamma: try parameters.number("gamma", in: 0...0.999_999, default: 0.99),
            penalty: try parameters.number("penalty", in: 0...1e12, default: 0.001),
            minimumRank: try parameters.integer("min_rank", in: 1...65_536, default: 1))
        return Recipe(
            isContinuous: true, weighting: .norm, demand: { _ in ClientDemand(pruning: pruning) }
        ) { _ in FactorMean(coverage: .padded) }
    }

    private static let fedex: Composition = { parameters throws(StrategyError) in
        let residualRank = try parameters.integer("residual_rank", in: 1...65_536)
        let admission: Admission = try parameters.flag("allow_inexact") ? .anyRank : .fullRank
        return Recipe(admission: admission, publishesMerge: true) { _ in ResidualMerge(residualRank: residualRank) }
    }

    private static let annealed: Composition = { parameters throws(StrategyError) in
        let schedule = RankSchedule(
            warmupRounds: try parameters.integer("warmup_rounds", in: 0...1_000_000, default: 5),
            cooling: try parameters.number("cooling", in: 1e-9...1, default: 0.95),
            minimumRank: try parameters.integer("min_rank", in: 1...65_536, default: 1))
        let penalty = try parameters.number("penalty", in: 0...1e12, default: 0.001)
        return Recipe(
            isContinuous: true, schedule: schedule,
            demand: { ClientDemand(penalty: schedule.isWarm($0) ? penalty : 0) }
        ) { _ in FactorMean(coverage: .reached) }
    }

    /// Composes the strategy that a federation's settings name.
    ///
    /// - Parameters:
    ///   - weighting: nil for the strategy's default, which is by samples except for `hetlora`.
    ///   - parameters: the settings' other keys; each must belong to the strategy or to `ranking` weights.
    package init(
        named name: String, weighting: String? = nil, parameters: [String: ParameterValue] = [:],
        optimizer: ServerOptimizer = .none
    ) throws(StrategyError) {
        guard let compose = Self.compositions[name] else { throw .unknownStrategy(name) }
        var rest = StrategyParameters(parameters, of: name)
        let recipe = try compose(&rest)
        let weights = try Self.weighting(named: weighting, for: name, recipe, &rest)
        try rest.finish()
        guard optimizer == .none || recipe.isContinuous else { throw .optimizer(strategy: name) }
        self.init(
            name: name, weighting: weights, parameters: rest.effective,
            optimizer: optimizer == .none ? recipe.optimizer : optimizer, recipe: recipe)
    }

    private static func weighting(
        named name: String?, for strategy: String, _ recipe: Recipe, _ parameters: inout StrategyParameters
    ) throws(StrategyError) -> Weighting {
        if let only = recipe.weighting {
            guard name == nil || name == only.name else {
                throw .weighting(strategy: strategy, needed: only.name, found: name ?? "")
            }
            return only
        }
        switch name ?? "samples" {
        case "samples": return .samples
        case "uniform": return .uniform
        case "norm": return .norm
        case "ranking": return .ranking(normShare: try parameters.number("norm_share", in: 0...1, default: 0.5))
        case let other: throw .unknownWeighting(other)
        }
    }
}
