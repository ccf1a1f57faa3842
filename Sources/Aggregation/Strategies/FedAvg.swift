/// The plain mean of the factors, of clients with one rank: arXiv 1602.05629, for LoRA 2305.05644.
struct FedAvg: StrategyRecipe {
    static let name = "fedavg"
    static let takesRules = true

    init(_ parameters: inout StrategyParameters) {}

    var admission: Admission { .fullRank }
    var isContinuous: Bool { true }
    var objectionToExactSum: String? { nil }

    func projection(in round: Int) -> any Projection { FactorMean(coverage: .padded) }
}
