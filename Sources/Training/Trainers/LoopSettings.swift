/// The settings of a plan that the native trainer reads for every model.
struct LoopSettings: Sendable, Hashable {
    /// The rule that ends a round when the loss on held-out examples no longer falls.
    struct EarlyStop: Sendable, Hashable {
        /// The fraction of the client's examples that is held out.
        var share: Double
        /// The number of epochs that may pass without a lower loss.
        var patience: Int
    }

    var epochs: Int
    /// The number of steps of a round, in place of epochs; nil for whole epochs.
    var steps: Int?
    var batchSize: Int
    /// The number of batches whose gradients one step takes together.
    var accumulation: Int
    var optimizer: OptimizerSettings
    var schedule: RateSchedule
    /// The largest norm of all gradients together; larger ones are scaled down.
    var clipNorm: Double?
    var earlyStop: EarlyStop?
    /// μ of FedProx's term μ/2·‖w − w₀‖²; 0 for none.
    var proximalMu: Double

    static let largestBatch = 65_536

    /// The keys that the trainer reads for every model.
    static let names: Set<String> = [
        "epochs", "max_steps", "batch_size", "gradient_accumulation_steps", "optimizer", "learning_rate",
        "loraplus_lr_ratio", "momentum", "weight_decay", "beta1", "beta2", "epsilon", "schedule", "warmup_steps",
        "warmup_share", "clip_norm", "early_stop_share", "early_stop_patience",
        "proximal_mu",
    ]

    /// - Parameter modelNames: the model's own keys. A key that nobody reads is refused.
    init(_ settings: TrainingSettings, modelNames: Set<String> = []) throws(TrainingError) {
        try settings.refuseNames(beyond: Self.names.union(modelNames))
        epochs = try settings.count("epochs", in: 1...1_000_000, default: 5)
        if settings["max_steps"] != nil {
            guard settings["epochs"] == nil else {
                throw .setting("max_steps", expected: "epochs or max_steps", found: "both")
            }
            steps = try settings.count("max_steps", in: 1...1_000_000_000, default: 1)
        }
        accumulation = try settings.count("gradient_accumulation_steps", in: 1...65_536, default: 1)
        batchSize = try settings.count("batch_size", in: 1...Self.largestBatch, default: 32)
        optimizer = try OptimizerSettings(settings)
        schedule = try RateSchedule(settings)
        clipNorm = settings["clip_norm"] == nil ? nil : try settings.number("clip_norm", in: 1e-9...1e9, default: 1)
        proximalMu = try settings.number("proximal_mu", in: 0...1e6, default: 0)
        let patience = try settings.count("early_stop_patience", in: 1...1_000_000, default: 1)
        if settings["early_stop_share"] != nil {
            let share = try settings.number("early_stop_share", in: 0.001...0.5, default: 0.1)
            earlyStop = EarlyStop(share: share, patience: patience)
        } else if settings["early_stop_patience"] != nil {
            throw .setting("early_stop_patience", expected: "early_stop_share beside it", found: "\(patience) alone")
        }
    }
}
