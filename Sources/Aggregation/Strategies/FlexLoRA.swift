/// The mean of the clients' products, cut to the maximum rank by SVD: arXiv 2402.11505.
struct FlexLoRA: StrategyRecipe {
    static let name = "flexlora"

    init(_ parameters: inout StrategyParameters) {}

    func projection(in round: Int) -> any Projection { ProductMean(coverage: .padded) }
}
