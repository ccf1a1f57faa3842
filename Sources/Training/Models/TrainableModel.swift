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

    /// Classifies the examples at `indices` and compares with their labels; there may be as many as the model has
    /// memory for. Afterwards the last layer's gradient is ready for `backward`.
    func forward(_ examples: Examples, _ indices: ArraySlice<Int>) -> BatchResult

    /// Computes the gradients of all trained tensors for the mean loss of the last `forward`'s batch.
    func backward()

    /// The last layer's output for the batch of the last `forward` (rows × classes).
    func logits(rows: Int) -> MatrixView
}

/// Sums over one batch.
package struct BatchResult {
    /// Cross-entropy in nats, summed over the examples.
    package var loss: Double
    package var correct: Int

    package init(loss: Double, correct: Int) {
        self.loss = loss
        self.correct = correct
    }
}

extension TrainableModel {
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
