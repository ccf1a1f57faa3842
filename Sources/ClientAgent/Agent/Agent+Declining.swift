import RankwiseWire
import ServerCalls
import Training

/// Rounds in which this client sends nothing.
extension Agent {
    /// Declines a round that could not be trained, so that nobody waits for it. After several in a row, it ends the
    /// agent.
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

    /// Tells the server that this client sends nothing in a round. A server without this call waits until its deadline.
    func decline(_ round: Int, reason: String) async throws(AgentError) {
        observe(.declined(round: round, reason: reason))
        let endpoint = endpoint
        let reason = Self.told(reason)
        let answer = try await answer(to: "decline") { (_) async throws(CallError) in
            try await endpoint.decline(round: round, reason: reason)
        }
        switch answer {
        // From now on the plan says whether the round still asks this client.
        case .value: break
        case .refused(let problem) where problem.isOfTheClient: throw .refused(problem)
        case .refused: progress.refusedRound = round
        }
        progress.lastRound = max(progress.lastRound, round)
        try await keepProgress()
        try await state { state throws(StateError) in try state.removeRounds(but: nil) }
    }

    /// Tells the server that this agent has ended and needs a person, so that no round waits for it. It tries once; a
    /// server that it cannot reach notices the missing calls.
    func leave(for error: AgentError) async {
        let reason: String
        switch error {
        case .refused(let problem) where problem.isOfTheClient: return
        case .trainingFailed, .refused: reason = "has stopped: \(error)"
        // A service manager restarts it.
        case .state(.noRoom): return
        // The server must not learn local paths.
        case .state: reason = "has stopped: its state folder cannot be used"
        // A service manager restarts it, and it continues the round.
        case .cancelled, .outOfReach: return
        }
        guard identity.registeredRank != nil else { return }
        do throws(CallError) {
            try await endpoint.leave(reason: Self.told(reason))
        } catch {
            observe(.unheard(reason: "\(error)"))
        }
    }

    /// The reason in the form that the server accepts.
    private static func told(_ reason: String) -> String {
        String(String.UnicodeScalarView(reason.unicodeScalars.prefix(500))).printable
    }
}
