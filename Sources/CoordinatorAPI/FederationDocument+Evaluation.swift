import Coordinator
import Federation
import RankwiseWire

extension EvaluationPolicy {
    init(_ document: FederationDocument.Evaluation) throws(SettingsError) {
        self.init(
            every: document.every, fraction: document.fraction, holdout: document.holdout,
            deadlineSeconds: document.deadlineSeconds,
            best: try document.best.map { best throws(SettingsError) in
                guard let mode = Direction(rawValue: best.mode) else {
                    throw SettingsError(
                        path: "evaluation.best.mode", reason: "is '\(best.mode)'; expected max or min")
                }
                return Best(metric: best.metric, mode: mode)
            },
            patience: document.patience,
            plateau: document.plateau.map { Plateau(patience: $0.patience, factor: $0.factor) })
    }
}

extension FederationDocument.Evaluation {
    init(_ policy: EvaluationPolicy) {
        self.init(
            every: policy.every, fraction: policy.fraction, holdout: policy.holdout,
            deadlineSeconds: policy.deadlineSeconds,
            best: policy.best.map { Best(metric: $0.metric, mode: $0.mode.rawValue) }, patience: policy.patience,
            plateau: policy.plateau.map { Plateau(patience: $0.patience, factor: $0.factor) })
    }
}

extension RoundBody.Evaluation {
    init(_ evaluation: ListedEvaluation) {
        let figures = evaluation.figures
        self.init(
            state: evaluation.closedAt == nil ? "open" : "closed", openedAt: evaluation.openedAt.timestamp,
            deadlineAt: evaluation.deadline.timestamp, closedAt: evaluation.closedAt?.timestamp,
            selected: figures.selected, received: figures.received, withoutData: figures.withoutData,
            refused: figures.refused, samples: figures.samples, metrics: figures.metrics.mapValues(Metric.init))
    }
}

extension RoundBody.Evaluation.Metric {
    init(_ metric: EvaluationFigures.Metric) {
        self.init(
            clients: metric.clients, mean: metric.mean, median: metric.median, worstDecile: metric.worstDecile,
            byRank: Dictionary(
                uniqueKeysWithValues: metric.byRank.map { rank, figures in
                    (
                        "\(rank)",
                        RoundBody.Evaluation.Class(
                            clients: figures.clients, samples: figures.samples, mean: figures.mean,
                            worst: figures.worst)
                    )
                }))
    }
}

extension FederationBody.Standing {
    /// - Returns: nil where clients do not evaluate.
    init?(_ machine: FederationMachine) {
        guard let policy = machine.settings.evaluation else { return nil }
        let standing = machine.standing
        var best: Best?
        if let named = policy.best, let found = standing.best {
            best = Best(round: found.round, metric: named.metric, value: found.value)
        }
        self.init(
            best: best, roundsWithoutImprovement: standing.withoutImprovement,
            learningRate: machine.serverLearningRate(inRound: (machine.round?.number ?? 0) + 1),
            stoppedFor: standing.stoppedFor)
    }
}

extension EvaluationsBody {
    init(_ evaluation: EvaluationRound, after: ClientName?, limit: Int) {
        let rest = Array(evaluation.places.elements(after: after).prefix(limit + 1))
        let clients = rest.prefix(limit).map { name, place in
            Client(
                client: name.rawValue,
                state: place.state == .awaited && !evaluation.isOpen ? "missed" : place.state.rawValue,
                rank: place.rank, samples: place.answer?.samples, metrics: place.answer?.metrics,
                receivedAt: place.receivedAt?.timestamp, refusal: place.refusal)
        }
        self.init(evaluations: clients, next: rest.count > limit ? clients.last?.client : nil)
    }
}
