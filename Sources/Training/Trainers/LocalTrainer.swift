/// The client agent's port for training, with native and external implementations.
///
/// Promises: it handles one call at a time. On return the trained adapter is complete at the assignment's output path;
/// after a throw no file is there. Cancelling the task soon ends the training and throws `cancelled`. The work runs on
/// its own threads and never on Swift's cooperative pool.
package protocol LocalTrainer: Sendable {
    /// Trains one round from the assignment's adapter on the client's own data.
    func train(
        _ assignment: TrainingAssignment, progress: @escaping @Sendable (TrainingProgress) -> Void
    ) async throws(TrainingError) -> TrainingOutcome

    /// Whether it holds examples out as plans say, and can score adapters on them.
    var evaluates: Bool { get }

    /// Scores the assignment's adapter on the examples that the plan has it hold out. Nothing is left at the output's
    /// path.
    func evaluate(_ assignment: TrainingAssignment) async throws(TrainingError) -> EvaluationOutcome
}

extension LocalTrainer {
    package var evaluates: Bool { false }

    package func evaluate(_ assignment: TrainingAssignment) async throws(TrainingError) -> EvaluationOutcome {
        throw .command(reason: "cannot evaluate")
    }
}
