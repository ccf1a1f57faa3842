/// Trains full weights under a sparse mask first, then goes on as RBLA: arXiv 2308.06522.
struct SLoRA: StrategyRecipe {
    static let name = "slora"

    private let start: SparseStart

    init(_ parameters: inout StrategyParameters) throws(StrategyError) {
        start = SparseStart(
            rounds: try parameters.integer("sparse_rounds", in: 0...1_000_000, default: 5),
            density: try parameters.number("density", in: 1e-9...1, default: 0.01))
    }

    var sparse: SparseStart? { start }
    var objectionToExactSum: String? { "is not a row sum while it trains sparse weights" }

    func projection(in round: Int) -> any Projection { FactorMean(coverage: .reached) }
}
