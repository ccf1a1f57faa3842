import RankwiseWire
import ServerCalls
import Training

/// Scores published adapters on examples that this client never trains on.
extension Agent {
    /// Whether the plan asks for an evaluation that this start has not tried yet. It goes before training: it is short,
    /// and its deadline is.
    func owesEvaluation(by plan: PlanBody) -> Bool {
        guard let asked = plan.evaluate, plan.state != "finished", trainer?.evaluates == true else { return false }
        return asked.round != triedEvaluation && asked.round == plan.adapter?.round
    }

    /// Downloads the published adapter, scores it, and tells the server. A failure costs this answer only.
    func evaluate(_ plan: PlanBody, json: [UInt8]) async throws(AgentError) -> Step {
        guard let asked = plan.evaluate, let trainer else { return .poll(after: plan.revision) }
        triedEvaluation = asked.round
        let files = try await state { state throws(StateError) in
            try state.removeRounds(but: plan.round)
            return try state.files(of: plan.round)
        }
        if case .refused(let problem) = try await download(plan, to: files) {
            observe(.notEvaluated(round: asked.round, reason: problem.summary))
            return .poll(after: plan.revision)
        }
        // Training goes on from the same files.
        downloaded = DownloadedStart(plan)
        let assignment = TrainingAssignment(
            adapter: files.adapter, configuration: files.configuration, plan: TrainingPlan(plan, json: json),
            merge: plan.merge == nil ? nil : state.merge, output: files.trained)
        let began = clock.now
        let outcome: EvaluationOutcome
        do throws(TrainingError) {
            outcome = try await trainer.evaluate(assignment)
        } catch {
            if Task.isCancelled { throw .cancelled }
            observe(.notEvaluated(round: asked.round, reason: "\(error)"))
            return Self.step(for: plan, json: json, refusedRound: progress.refusedRound)
        }
        if Task.isCancelled { throw .cancelled }
        try await tell(outcome, ofRound: asked.round, seconds: clock.now - began)
        return Self.step(for: plan, json: json, refusedRound: progress.refusedRound)
    }

    private func tell(
        _ outcome: EvaluationOutcome, ofRound round: Int, seconds: Duration
    ) async throws(AgentError) {
        // The server takes no number beyond these.
        var metrics = outcome.metrics.filter { !$0.value.isNaN }.mapValues { min(max($0, -1e12), 1e12) }
        if outcome.samples > 0 { metrics["seconds"] = Double(seconds.inMilliseconds) / 1000 }
        let found = EvaluationBody(samples: outcome.samples, metrics: metrics)
        let endpoint = endpoint
        let answer = try await answer(to: "evaluation") { (_) async throws(CallError) in
            try await endpoint.evaluate(round: round, found)
        }
        switch answer {
        case .value: observe(.evaluated(round: round, outcome))
        case .refused(let problem) where problem.isOfTheClient: throw .refused(problem)
        case .refused(let problem): observe(.notEvaluated(round: round, reason: problem.summary))
        }
    }
}

/// The start of a round's training as it was downloaded: what a plan names, for which round.
struct DownloadedStart: Sendable, Hashable {
    let round: Int
    let adapter: PlanBody.Source?
    let merge: PlanBody.Merge?
    let messageBits: Int?

    init(_ plan: PlanBody) {
        round = plan.round
        adapter = plan.adapter
        merge = plan.merge
        messageBits = plan.messageBits
    }
}
