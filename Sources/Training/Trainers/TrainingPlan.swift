package import AdapterOperations

/// The part of a client's plan for one round that a trainer needs. It is made from the wire's `PlanBody` or by a
/// simulation.
package struct TrainingPlan: Sendable, Hashable {
    package var round: Int
    /// The rank of every module.
    package var ranks: [String: Int]
    /// The factor of every module's product.
    package var scales: [String: Double]
    /// The seed of this client's randomness in the round.
    package var seed: UInt64
    package var train: Set<Factor>
    /// The factors that the trained file contains; a LoRA bias belongs to B.
    package var send: Set<Factor>
    /// The weight μ of the penalty μ·Σ‖B·A‖², which keeps the adapter near the base; 0 for none.
    package var penalty: Double
    package var pruning: RankPruning?
    /// nil where an adapter is trained.
    package var stage: Stage?
    package var settings: TrainingSettings
    /// The plan as it was received, for an external trainer's `plan.json`.
    package var json: [UInt8]
    /// The seed of a head that the model draws anew, the same for all clients.
    package var federationSeed: UInt64
    /// The tensors beside the factors that the federation trains, by name. Where the server does not name them, it is
    /// nil, and the adapter's tensors are used.
    package var dense: [String: [Int]]?
    /// The share of the client's examples that it never trains on; nil for none.
    package var holdout: Double?

    package init(
        round: Int, ranks: [String: Int], scales: [String: Double], seed: UInt64,
        train: Set<Factor> = [.a, .b], send: Set<Factor> = [.a, .b], penalty: Double = 0, pruning: RankPruning? = nil,
        stage: Stage? = nil, federationSeed: UInt64 = 0, dense: [String: [Int]]? = nil,
        settings: TrainingSettings = TrainingSettings(), holdout: Double? = nil,
        json: [UInt8] = []
    ) {
        self.round = round
        self.ranks = ranks
        self.scales = scales
        self.seed = seed
        self.train = train
        self.send = send
        self.penalty = penalty
        self.pruning = pruning
        self.stage = stage
        self.federationSeed = federationSeed
        self.dense = dense
        self.holdout = holdout
        self.settings = settings
        self.json = json
    }
}
