import Dispatch
import Synchronization

/// Trains an adapter in this process: mini-batches on OpenBLAS.
///
/// The same assignment and data give the same bytes: the order of examples is drawn from the plan's seed, and the sums
/// do not depend on the number of threads. Velocities begin at zero every round.
package final class NativeTrainer: LocalTrainer {
    private let task: NativeTask
    private let queue = DispatchQueue(label: "rankwise.training")

    package init(_ task: NativeTask) { self.task = task }

    /// - Parameters:
    ///   - model: such as `mlp-64-200-200-10`.
    ///   - seed: draws the frozen base weights.
    package convenience init(model: String, seed: UInt64, data: DataSet) throws(TrainingError) {
        self.init(try NativeModel(name: model, seed: seed).task(data))
    }

    package func train(
        _ assignment: TrainingAssignment, progress: @escaping @Sendable (TrainingProgress) -> Void
    ) async throws(TrainingError) -> TrainingOutcome {
        let isCancelled = Atomic(false)
        let result = await withTaskCancellationHandler {
            await queue.result { () throws(TrainingError) in
                try self.task.train(
                    assignment, isCancelled: { isCancelled.load(ordering: .relaxed) }, progress: progress)
            }
        } onCancel: {
            isCancelled.store(true, ordering: .relaxed)
        }
        return try result.get()
    }
}
