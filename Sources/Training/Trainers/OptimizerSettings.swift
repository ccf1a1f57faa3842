/// The settings of the optimizer.
struct OptimizerSettings: Sendable, Hashable {
    enum Kind: String, CaseIterable {
        case sgd
        case adamw
    }

    var kind: Kind
    var learningRate: Double
    /// The learning rate of B in units of A's (LoRA+, arXiv 2402.12354).
    var ratioOfB: Double
    /// Used by SGD.
    var momentum: Float
    /// The fraction of the values that SGD adds to the gradient, or that AdamW subtracts in a step of rate 1.
    var weightDecay: Double
    /// Used by AdamW.
    var beta1: Double
    var beta2: Double
    var epsilon: Double

    init(_ settings: TrainingSettings) throws(TrainingError) {
        kind = try settings.choice("optimizer", default: .sgd)
        let isAdam = kind == .adamw
        learningRate = try settings.number("learning_rate", in: 1e-12...1e6, default: isAdam ? 0.001 : 0.01)
        ratioOfB = try settings.number("loraplus_lr_ratio", in: 1e-6...1e6, default: 1)
        momentum = Float(try settings.number("momentum", in: 0...0.9999, default: isAdam ? 0 : 0.9))
        weightDecay = try settings.number("weight_decay", in: 0...1e3, default: isAdam ? 0.01 : 0)
        beta1 = try settings.number("beta1", in: 0...0.999999, default: 0.9)
        beta2 = try settings.number("beta2", in: 0...0.999999, default: 0.999)
        epsilon = try settings.number("epsilon", in: 1e-16...1, default: 1e-8)
        if !isAdam {
            for name in ["beta1", "beta2", "epsilon"] where settings[name] != nil {
                throw .setting(name, expected: "optimizer \"adamw\" with it", found: "optimizer \"sgd\"")
            }
        }
    }
}
