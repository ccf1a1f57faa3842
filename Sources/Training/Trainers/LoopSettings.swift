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
    var batchSize: Int
    var optimizer: OptimizerSettings
    var schedule: RateSchedule
    /// The largest norm of all gradients together; larger ones are scaled down.
    var clipNorm: Double?
    var earlyStop: EarlyStop?

    static let largestBatch = 65_536

    init(_ settings: TrainingSettings) throws(TrainingError) {
        epochs = try settings.count("epochs", in: 1...1_000_000, default: 5)
        batchSize = try settings.count("batch_size", in: 1...Self.largestBatch, default: 32)
        optimizer = try OptimizerSettings(settings)
        schedule = try RateSchedule(settings)
        clipNorm = settings["clip_norm"] == nil ? nil : try settings.number("clip_norm", in: 1e-9...1e9, default: 1)
        let patience = try settings.count("early_stop_patience", in: 1...1_000_000, default: 1)
        if settings["early_stop_share"] != nil {
            let share = try settings.number("early_stop_share", in: 0.001...0.5, default: 0.1)
            earlyStop = EarlyStop(share: share, patience: patience)
        } else if settings["early_stop_patience"] != nil {
            throw .setting("early_stop_patience", expected: "early_stop_share beside it", found: "\(patience) alone")
        }
    }
}
