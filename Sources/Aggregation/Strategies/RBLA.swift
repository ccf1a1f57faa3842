/// Averages every component over the clients that have it: arXiv 2408.08699.
struct RBLA: StrategyRecipe {
    static let name = "rbla"
    static let takesRules = true

    init(_ parameters: inout StrategyParameters) {}

    var isContinuous: Bool { true }
    var objectionToExactSum: String? { nil }

    func projection(in round: Int) -> any Projection { FactorMean(coverage: .reached) }
}
