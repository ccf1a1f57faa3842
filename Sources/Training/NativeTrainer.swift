import Dispatch
import Synchronization

/// Trains a multilayer perceptron's adapter in this process: mini-batch SGD with momentum on OpenBLAS.
///
/// The same assignment and data give the same bytes: the order of examples is drawn from the plan's seed, and OpenBLAS
/// runs on one thread. Velocities begin at zero every round.
package final class NativeTrainer: LocalTrainer {
    private let shape: PerceptronShape
    private let seed: UInt64
    private let data: DataSet
    private let queue = DispatchQueue(label: "rankwise.training")

    /// - Parameters:
    ///   - model: such as `mlp-64-200-200-10`.
    ///   - seed: draws the frozen base weights.
    package init(model: String, seed: UInt64, data: DataSet) throws(TrainingError) {
        shape = try PerceptronShape(name: model)
        try shape.check(data)
        self.seed = seed
        self.data = data
    }

    package func train(
        _ assignment: TrainingAssignment, progress: @escaping @Sendable (TrainingProgress) -> Void
    ) async throws(TrainingError) -> TrainingOutcome {
        let isCancelled = Atomic(false)
        let result = await withTaskCancellationHandler {
            await queue.result { () throws(TrainingError) in
                let run = try TrainingRun(assignment, shape: self.shape, seed: self.seed, data: self.data)
                return try run.train(isCancelled: { isCancelled.load(ordering: .relaxed) }, progress: progress)
            }
        } onCancel: {
            isCancelled.store(true, ordering: .relaxed)
        }
        return try result.get()
    }
}

extension PerceptronShape {
    /// Whether the examples fit the model.
    func check(_ data: DataSet) throws(TrainingError) {
        guard data.width == inputs else {
            throw .data(reason: "an example has \(data.width) features; the model takes \(inputs)")
        }
        if let label = data.labels.first(where: { !(0..<classes).contains($0) }) {
            throw .data(reason: "an example is of class \(label); the model has \(classes) classes")
        }
    }
}
