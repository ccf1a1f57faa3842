import AdapterOperations
package import RankwiseWire
package import Training

extension TrainingPlan {
    /// Makes the trainer's part of a plan; `json` is the whole plan, for trainers that read more.
    package init(_ plan: PlanBody, json: [UInt8] = []) {
        self.init(
            round: plan.round, ranks: plan.ranks, scales: plan.scales, seed: plan.seed,
            train: Set(plan.train.compactMap(Factor.init)), send: Set(plan.send.compactMap(Factor.init)),
            penalty: plan.penalty,
            pruning: plan.pruning.map(RankPruning.init),
            stage: plan.stage.map { Stage(name: $0.name, density: $0.density, seed: $0.seed) },
            federationSeed: plan.federationSeed ?? 0, dense: plan.dense,
            settings: TrainingSettings(plan.training.mapValues(TrainingSettings.Value.init)),
            holdout: plan.holdout, json: json)
    }
}

extension RankPruning {
    init(_ pruning: PlanBody.Pruning) {
        self.init(gamma: pruning.gamma, penalty: pruning.penalty, minRank: pruning.minRank)
    }
}

extension TrainingSettings.Value {
    package init(_ value: JSONValue) {
        switch value {
        case .bool(let flag): self = .flag(flag)
        case .integer(let number): self = .number(Double(number))
        case .number(let number): self = .number(number)
        case .string(let text): self = .text(text)
        case .null: self = .other("null")
        case .array: self = .other("a list")
        case .object: self = .other("an object")
        }
    }
}
