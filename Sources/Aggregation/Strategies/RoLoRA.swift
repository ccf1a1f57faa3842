import AdapterFormat

/// Trains B in odd rounds and A in even ones: arXiv 2409.02346.
struct RoLoRA: StrategyRecipe {
    static let name = "rolora"
    static let takesRules = true

    init(_ parameters: inout StrategyParameters) {}

    var isContinuous: Bool { true }
    var objectionToExactSum: String? { nil }

    func demand(in round: Int) -> ClientDemand { ClientDemand(factors: trained(in: round)) }

    func projection(in round: Int) -> any Projection { FactorMean(coverage: .reached, factors: trained(in: round)) }

    private func trained(in round: Int) -> FactorSet { round.isMultiple(of: 2) ? .a : .b }
}
