import Training

/// A trainer that waits for its turn.
struct GatedTrainer: LocalTrainer {
    let trainer: NativeTrainer
    let gate: AsyncSemaphore

    var evaluates: Bool { trainer.evaluates }

    func evaluate(_ assignment: TrainingAssignment) async throws(TrainingError) -> EvaluationOutcome {
        try await trainer.evaluate(assignment)
    }

    func train(
        _ assignment: TrainingAssignment, progress: @escaping @Sendable (TrainingProgress) -> Void
    ) async throws(TrainingError) -> TrainingOutcome {
        await gate.enter()
        let result: Result<TrainingOutcome, TrainingError>
        do throws(TrainingError) {
            result = .success(try await trainer.train(assignment, progress: progress))
        } catch {
            result = .failure(error)
        }
        await gate.leave()
        return try result.get()
    }
}
