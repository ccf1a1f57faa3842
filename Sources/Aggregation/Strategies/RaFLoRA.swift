/// As FlexLoRA, with every component weighed over the clients that have it: arXiv 2602.13486.
struct RaFLoRA: StrategyRecipe {
    static let name = "raflora"

    init(_ parameters: inout StrategyParameters) {}

    func projection(in round: Int) -> any Projection { ProductMean(coverage: .reached) }
}
