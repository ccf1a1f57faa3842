import RankwiseWire
import Training

/// Rounds that this client sends nothing in.
extension Agent {
    /// Leaves a round that could not be trained, so that nobody waits for it; after several in a row, the agent.
    func giveUp(_ plan: PlanBody, for error: TrainingError) async throws(AgentError) -> Step {
        if case .cancelled = error { throw .trainingFailed("\(error)") }
        try await decline(plan.round, reason: "\(error)")
        switch error {
        case .stopped: throw .trainingFailed("\(error)")
        case .abstained: break
        default:
            failedInARow += 1
            guard failedInARow < configuration.failuresInARow else {
                throw .trainingFailed("\(error); so did \(failedInARow) rounds in a row")
            }
        }
        return next(after: plan.revision)
    }

    /// Tells the server that this client sends nothing in a round; one that knows no such call waits till its deadline.
    func decline(_ round: Int, reason: String) async throws(AgentError) {
        observe(.declined(round: round, reason: reason))
        let endpoint = endpoint
        let reason = Self.told(reason)
        let answer = try await answer(to: "decline") { (_) async throws(CallError) in
            try await endpoint.decline(round: round, reason: reason)
        }
        switch answer {
        // From here on the plan says whether the round still asks this client.
        case .value: break
        case .refused(let problem) where problem.isOfTheClient: throw .refused(problem)
        case .refused: progress.refusedRound = round
        }
        progress.lastRound = max(progress.lastRound, round)
        try await keepProgress()
        try await state { state throws(StateError) in try state.removeRounds(but: nil) }
    }

    /// Tells the server that this agent has ended and wants a person, so that no round waits for it. Once: a server that
    /// cannot be told finds out by not hearing of it.
    func leave(for error: AgentError) async {
        let reason: String
        switch error {
        case .refused(let problem) where problem.isOfTheClient: return
        case .trainingFailed, .refused: reason = "has stopped: \(error)"
        // It is started again.
        case .state(.noRoom): return
        // Its paths are nobody else's business.
        case .state: reason = "has stopped: its state folder cannot be used"
        // It is started again, and goes on with the round.
        case .cancelled, .outOfReach: return
        }
        guard identity.registeredRank != nil else { return }
        do throws(CallError) {
            try await endpoint.leave(reason: Self.told(reason))
        } catch {
            observe(.unheard(reason: "\(error)"))
        }
    }

    /// As the server takes reasons.
    private static func told(_ reason: String) -> String {
        String(String.UnicodeScalarView(reason.unicodeScalars.prefix(500))).printable
    }
}
