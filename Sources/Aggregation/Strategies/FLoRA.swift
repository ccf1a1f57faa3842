/// Publishes the stack of the clients' factors as a merge and starts a new adapter each round: arXiv 2409.05976.
struct FLoRA: StrategyRecipe {
    static let name = "flora"

    init(_ parameters: inout StrategyParameters) {}

    var publishesMerge: Bool { true }

    func demand(in round: Int) -> ClientDemand { ClientDemand(isFresh: true, drawnRound: round - 1) }

    func projection(in round: Int) -> any Projection { StackedMerge() }
}
