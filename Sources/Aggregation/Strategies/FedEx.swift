/// The mean of the factors, and a merge with what the mean of the products has beside it: arXiv 2410.09432.
struct FedEx: StrategyRecipe {
    static let name = "fedex"
    static let parametersForAnyRank: [String: ParameterValue] = ["allow_inexact": .flag(true)]

    let admission: Admission
    private let residualRank: Int?

    init(_ parameters: inout StrategyParameters) throws(StrategyError) {
        residualRank = try parameters.integer("residual_rank", in: 1...65_536)
        admission = try parameters.flag("allow_inexact") ? .anyRank : .fullRank
    }

    var publishesMerge: Bool { true }

    func projection(in round: Int) -> any Projection { ResidualMerge(residualRank: residualRank) }
}
