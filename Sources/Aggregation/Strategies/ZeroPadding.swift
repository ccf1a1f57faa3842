/// The mean of the factors, in which missing components count as zeros.
struct ZeroPadding: StrategyRecipe {
    static let name = "zeropad"
    static let takesRules = true

    init(_ parameters: inout StrategyParameters) {}

    var isContinuous: Bool { true }
    var objectionToExactSum: String? { nil }

    func projection(in round: Int) -> any Projection { FactorMean(coverage: .padded) }
}
