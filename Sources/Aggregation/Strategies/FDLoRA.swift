/// Clients keep a personal adapter, and the server moves the shared one by an outer optimizer: arXiv 2406.07925.
struct FDLoRA: StrategyRecipe {
    static let name = "fdlora"
    static let keepsPersonalAdapter = true

    init(_ parameters: inout StrategyParameters) {}

    var isContinuous: Bool { true }
    var objectionToExactSum: String? { "is not a row sum: an outer optimizer moves it" }
    var optimizer: ServerOptimizer { .momentum(rate: 0.1) }

    func projection(in round: Int) -> any Projection { FactorMean(coverage: .reached) }
}
