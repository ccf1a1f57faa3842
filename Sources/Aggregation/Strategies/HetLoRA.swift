/// Zero padding with weights by norm, and clients that lower their ranks: arXiv 2401.06432.
struct HetLoRA: StrategyRecipe {
    static let name = "hetlora"
    static let takesRules = true

    private let pruning: ClientDemand.Pruning

    init(_ parameters: inout StrategyParameters) throws(StrategyError) {
        pruning = ClientDemand.Pruning(
            gamma: try parameters.number("gamma", in: 0...0.999_999, default: 0.99),
            penalty: try parameters.number("penalty", in: 0...1e12, default: 0.001),
            minimumRank: try parameters.integer("min_rank", in: 1...65_536, default: 1))
    }

    var isContinuous: Bool { true }
    var objectionToExactSum: String? { nil }
    var weighting: Weighting? { .norm }

    func demand(in round: Int) -> ClientDemand { ClientDemand(pruning: pruning) }

    func projection(in round: Int) -> any Projection { FactorMean(coverage: .padded) }
}
