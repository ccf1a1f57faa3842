import Dispatch
import Synchronization

/// Trains an adapter in this process, with mini-batches on OpenBLAS.
///
/// The same assignment and data give the same bytes: the order of examples is drawn from the plan's seed, and the sums
/// do not depend on the number of threads. Velocities begin at zero in every round.
package final class NativeTrainer: LocalTrainer {
    private let task: NativeTask
    private let limit: Duration
    private let limits: TrainingLimits
    private let queue = DispatchQueue(label: "rankwise.training")

    /// - Parameters:
    ///   - limit: the longest time for one round.
    ///   - limits: what the machine can afford beside time.
    package init(_ task: NativeTask, limit: Duration = .seconds(86_400), limits: TrainingLimits = TrainingLimits()) {
        self.task = task
        self.limit = limit
        self.limits = limits
    }

    package func train(
        _ assignment: TrainingAssignment, progress: @escaping @Sendable (TrainingProgress) -> Void
    ) async throws(TrainingError) -> TrainingOutcome {
        try await run { isCancelled throws(TrainingError) in
            try self.task.train(assignment, limits: self.limits, isCancelled: isCancelled, progress: progress)
        }
    }

    package var evaluates: Bool { true }

    package func evaluate(_ assignment: TrainingAssignment) async throws(TrainingError) -> EvaluationOutcome {
        try await run { isCancelled throws(TrainingError) in
            try self.task.evaluate(assignment, limits: self.limits, isCancelled: isCancelled)
        }
    }

    /// Runs work on the trainer's thread. It is told to end when the task is cancelled or the time is over.
    private func run<Value: Sendable>(
        _ work: @escaping @Sendable (_ isCancelled: () -> Bool) throws(TrainingError) -> Value
    ) async throws(TrainingError) -> Value {
        let isCancelled = Atomic(false)
        let deadline = ContinuousClock.now + limit
        let result = await withTaskCancellationHandler {
            await queue.result { () throws(TrainingError) in
                try work { isCancelled.load(ordering: .relaxed) || ContinuousClock.now >= deadline }
            }
        } onCancel: {
            isCancelled.store(true, ordering: .relaxed)
        }
        if case .failure(.cancelled) = result, !isCancelled.load(ordering: .relaxed) { throw .tooLong(limit) }
        return try result.get()
    }
}
