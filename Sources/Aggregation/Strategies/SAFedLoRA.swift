/// Full rank with a penalty at first, then a rank that falls from round to round: arXiv 2405.09394.
struct SAFedLoRA: StrategyRecipe {
    static let name = "sa-fedlora"

    private let cooling: RankSchedule
    private let penalty: Double

    init(_ parameters: inout StrategyParameters) throws(StrategyError) {
        cooling = RankSchedule(
            warmupRounds: try parameters.integer("warmup_rounds", in: 0...1_000_000, default: 5),
            cooling: try parameters.number("cooling", in: 1e-9...1, default: 0.95),
            minimumRank: try parameters.integer("min_rank", in: 1...65_536, default: 1))
        penalty = try parameters.number("penalty", in: 0...1e12, default: 0.001)
    }

    var isContinuous: Bool { true }
    var objectionToExactSum: String? { "sums rows of another rank in each round" }
    var schedule: RankSchedule? { cooling }

    func demand(in round: Int) -> ClientDemand { ClientDemand(penalty: cooling.isWarm(round) ? penalty : 0) }

    func projection(in round: Int) -> any Projection { FactorMean(coverage: .reached) }
}
