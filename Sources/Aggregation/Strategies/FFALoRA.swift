import AdapterFormat

/// Draws A once and trains only B: arXiv 2403.12313.
struct FFALoRA: StrategyRecipe {
    static let name = "ffa"
    static let takesRules = true

    init(_ parameters: inout StrategyParameters) {}

    var isContinuous: Bool { true }
    var objectionToExactSum: String? { nil }

    func demand(in round: Int) -> ClientDemand { ClientDemand(factors: .b, drawnRound: 0) }

    func projection(in round: Int) -> any Projection { FactorMean(coverage: .reached, factors: .b) }
}
