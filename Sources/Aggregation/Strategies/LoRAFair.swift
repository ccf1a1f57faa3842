/// The mean of the factors, with B corrected towards the mean of the products: arXiv 2411.14961.
struct LoRAFair: StrategyRecipe {
    static let name = "lora-fair"

    private let ridge: Double

    init(_ parameters: inout StrategyParameters) throws(StrategyError) {
        ridge = try parameters.number("ridge", in: 1e-12...1e12, default: 0.01)
    }

    func projection(in round: Int) -> any Projection { RefinedMean(ridge: ridge) }
}
