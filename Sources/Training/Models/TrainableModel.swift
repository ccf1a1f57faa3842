import AdapterOperations
package import LinearAlgebra
package import TrainingData

/// A frozen model with trainable parts on its layers, and memory for one batch.
package protocol TrainableModel: AnyObject {
    associatedtype Examples: ExampleSet

    /// One for each layer that an adapter may change, in the model's order.
    var layers: [AdaptedLayer] { get }
    /// What is trained in full.
    var dense: [DenseTensor] { get }

    /// Classifies the examples at `indices`, no more than the model has memory for, and compares with their labels;
    /// afterwards the last layer's gradient stands ready for `backward`.
    func forward(_ examples: Examples, _ indices: ArraySlice<Int>) -> BatchResult

    /// Fills the gradients of everything trained for the batch that `forward` has seen, of its mean loss.
    func backward()

    /// The last layer's output for the batch that `forward` has seen (rows × classes).
    func logits(rows: Int) -> MatrixView
}

/// The sums over one batch.
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

    /// Whether everything trained is a finite number.
    var isFinite: Bool { layers.allSatisfy(\.isFinite) && dense.allSatisfy(\.tensor.isFinite) }
}
