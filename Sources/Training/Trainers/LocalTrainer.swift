/// What the client agent needs of a trainer, native or external.
///
/// Promises: one call at a time per trainer; on return the trained adapter is complete at the assignment's output path;
/// on a throw nothing is there. Cancelling the task ends the training soon and throws `cancelled`. The work runs
/// on threads of its own and never on Swift's cooperative pool.
package protocol LocalTrainer: Sendable {
    /// Trains one round from the assignment's adapter on the client's own data.
    func train(
        _ assignment: TrainingAssignment, progress: @escaping @Sendable (TrainingProgress) -> Void
    ) async throws(TrainingError) -> TrainingOutcome
}
