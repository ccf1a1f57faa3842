import Federation

extension FederationMachine {
    /// The first part in which two copies of a federation differ; nil where they are equal.
    func difference(from other: FederationMachine) -> String? {
        if revision != other.revision { return "revision (\(revision), not \(other.revision))" }
        if state != other.state { return "state" }
        if publishedRound != other.publishedRound { return "published round" }
        if planRevision != other.planRevision { return "plan revision" }
        if settings != other.settings { return "settings" }
        if tokens != other.tokens { return "tokens" }
        if clients != other.clients { return "table of clients" }
        if let difference = differenceOfEvaluation(from: other) { return difference }
        switch (round, other.round) {
        case (nil, nil): return nil
        case (let mine?, let theirs?): return mine.difference(from: theirs)
        default: return "round"
        }
    }
}

extension FederationMachine {
    private func differenceOfEvaluation(from other: FederationMachine) -> String? {
        let (mine, theirs) = (evaluation, other.evaluation)
        if mine?.round != theirs?.round || mine?.closedAt != theirs?.closedAt { return "evaluation" }
        if mine?.places != theirs?.places { return "set of answers" }
        return mine?.figures == theirs?.figures && standing == other.standing ? nil : "standing"
    }
}

extension RoundMachine {
    fileprivate func difference(from other: RoundMachine) -> String? {
        if number != other.number { return "round number" }
        if phase != other.phase { return "phase" }
        if updates != other.updates { return "set of updates" }
        if participations != other.participations { return "selection" }
        if deadline != other.deadline || closedAt != other.closedAt { return "deadline" }
        if targetUpdates != other.targetUpdates { return "target" }
        if decisions != other.decisions || refusals != other.refusals { return "record of decisions" }
        return hasReopened == other.hasReopened ? nil : "reopening"
    }
}
