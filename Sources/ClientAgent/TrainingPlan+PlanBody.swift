import RankwiseWire
import Training

extension TrainingPlan {
    /// The trainer's part of a plan; `json` is the whole of it, for trainers that read more.
    init(_ plan: PlanBody, json: [UInt8]) {
        self.init(round: plan.round, seed: plan.seed)
    }
}
