import AdapterOperations
package import LinearAlgebra
package import TrainingData

/// A frozen model with trainable parts on its layers and memory for one batch.
package protocol TrainableModel: AnyObject {
    associatedtype Examples: ExampleSet

    /// One for each layer that an adapter may change, in the model's order.
    var layers: [AdaptedLayer] { get }
    /// The tensors that are trained in full.
    var dense: [DenseTensor] { get }

    /// Predicts the examples at `indices` and compares with what is right; there may be as many as the model has
    /// memory for. Afterwards the last layer's gradient is ready for `backward`.
    func forward(_ examples: Examples, _ indices: ArraySlice<Int>) -> BatchResult

    /// The result of `forward` alone, without preparing a gradient.
    func score(_ examples: Examples, _ indices: ArraySlice<Int>) -> BatchResult

    /// Computes the gradients of all trained tensors for the mean loss of the last `forward`'s batch.
    func backward()
}

/// A model whose examples have classes.
package protocol ClassifyingModel: TrainableModel {
    /// The last layer's output for the batch of the last `forward` (rows × classes).
    func logits(rows: Int) -> MatrixView
}

/// A model that predicts each token of a text from those before it.
package protocol TokenPredictingModel: TrainableModel where Examples == TokenSequences {
    /// The logits after each token of one text: (tokens × vocabulary).
    func logits(of tokens: [Int32]) -> [Float]

    /// What `score` finds for each text alone, under each of the model's adapters in their order.
    func results(_ examples: TokenSequences, _ indices: ArraySlice<Int>) -> [[BatchResult]]
}

/// Sums over one batch.
package struct BatchResult {
    /// Cross-entropy in nats, summed over what is predicted.
    package var loss: Double
    package var correct: Int
    /// The number of predictions: of examples, or of tokens where these are predicted.
    package var count: Int

    package init(loss: Double = 0, correct: Int = 0, count: Int = 0) {
        self.loss = loss
        self.correct = correct
        self.count = count
    }

    static func += (sum: inout BatchResult, other: BatchResult) {
        sum.loss += other.loss
        sum.correct += other.correct
        sum.count += other.count
    }

    var meanLoss: Double { loss / Double(max(1, count)) }
    var accuracy: Double { Double(correct) / Double(max(1, count)) }
}

extension TrainableModel {
    package func score(_ examples: Examples, _ indices: ArraySlice<Int>) -> BatchResult { forward(examples, indices) }

    /// Adds the gradients of the plan's penalties.
    func penalise(_ penalty: Float, pruning: RankPruning?) {
        guard penalty > 0 || pruning != nil else { return }
        for case let lora? in layers.map(\.lora) {
            if penalty > 0 { lora.penalise(penalty) }
            if let pruning { lora.penaliseTail(pruning) }
        }
    }

    /// Whether all trained values are finite.
    var isFinite: Bool { layers.allSatisfy(\.isFinite) && dense.allSatisfy(\.tensor.isFinite) }
}
