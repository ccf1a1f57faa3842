import AdapterFormat

/// Draws a new A each round, trains only B, and merges their product into the base: arXiv 2410.08305.
struct RACLoRA: StrategyRecipe {
    static let name = "rac-lora"

    init(_ parameters: inout StrategyParameters) {}

    var publishesMerge: Bool { true }

    func demand(in round: Int) -> ClientDemand {
        ClientDemand(factors: .b, isFresh: true, drawnRound: round - 1)
    }

    func projection(in round: Int) -> any Projection { DrawnFactorMerge() }
}
