/// What the native trainer reads from a plan's settings.
struct SGDSettings: Sendable, Hashable {
    enum Optimizer: String, CaseIterable {
        case sgd
    }

    var epochs: Int
    var batchSize: Int
    var learningRate: Float
    var momentum: Float

    static let largestBatch = 65_536

    init(_ settings: TrainingSettings) throws(TrainingError) {
        let optimizer: Optimizer = try settings.choice("optimizer", default: .sgd)
        switch optimizer {
        case .sgd: break
        }
        epochs = try settings.count("epochs", in: 1...1_000_000, default: 5)
        batchSize = try settings.count("batch_size", in: 1...Self.largestBatch, default: 32)
        learningRate = Float(try settings.number("learning_rate", in: 1e-12...1e6, default: 0.01))
        momentum = Float(try settings.number("momentum", in: 0...0.9999, default: 0.9))
    }
}
