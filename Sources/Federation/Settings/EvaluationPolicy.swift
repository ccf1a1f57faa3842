/// How often clients score the published adapter on data that they do not train on, and what follows from the figures.
package struct EvaluationPolicy: Sendable, Codable, Hashable {
    /// Which values of a metric are better.
    package enum Direction: String, Sendable, Codable, CaseIterable {
        case max, min

        package func isBetter(_ value: Double, than other: Double) -> Bool {
            self == .max ? value > other : value < other
        }
    }

    /// The metric by which rounds are compared.
    package struct Best: Sendable, Codable, Hashable {
        package var metric: String
        package var mode: Direction

        package init(metric: String, mode: Direction) {
            self.metric = metric
            self.mode = mode
        }
    }

    /// Lowers `server.learning_rate` where the best round gets old.
    package struct Plateau: Sendable, Codable, Hashable {
        /// After how many evaluated rounds without improvement.
        package var patience: Int
        /// The learning rate is multiplied by it.
        package var factor: Double

        package init(patience: Int, factor: Double) {
            self.patience = patience
            self.factor = factor
        }
    }

    /// Every so many rounds are evaluated, and the last one.
    package var every: Int
    /// The share of the clients that can evaluate, and were seen lately, that is asked.
    package var fraction: Double
    /// The share of its examples that a client never trains on.
    package var holdout: Double
    package var deadlineSeconds: Double
    package var best: Best?
    /// The federation ends after so many evaluated rounds without improvement; nil for never.
    package var patience: Int?
    package var plateau: Plateau?

    package init(
        every: Int = 1, fraction: Double = 1, holdout: Double = 0.2, deadlineSeconds: Double = 60, best: Best? = nil,
        patience: Int? = nil, plateau: Plateau? = nil
    ) {
        self.every = every
        self.fraction = fraction
        self.holdout = holdout
        self.deadlineSeconds = deadlineSeconds
        self.best = best
        self.patience = patience
        self.plateau = plateau
    }

    /// Whether the adapter of a round is evaluated.
    package func isDue(_ round: Int, of total: Int) -> Bool { round.isMultiple(of: every) || round == total }

    /// How many of the clients that could evaluate are asked.
    package func count(of eligible: Int) -> Int {
        min(eligible, Int(clamping: (fraction * Double(eligible) * (1 - 1e-12)).rounded(.up)))
    }
}

extension FederationSettings {
    /// Checks what an evaluation needs.
    func validateEvaluation() throws(SettingsError) {
        guard let evaluation else { return }
        func expect(_ holds: Bool, _ key: String, _ reason: String) throws(SettingsError) {
            guard holds else { throw SettingsError(path: "evaluation.\(key)", reason: reason) }
        }
        if policy.buffer != nil {
            throw SettingsError(
                path: "evaluation",
                reason: "does not go with round.buffer, whose versions follow each other too fast; leave it out")
        }
        try expect(
            (1...1_000_000).contains(evaluation.every), "every", "is \(evaluation.every); expected 1 to 1000000")
        try expect(
            evaluation.fraction > 0 && evaluation.fraction <= 1, "fraction",
            "is \(evaluation.fraction); expected above 0, at most 1")
        try expect(
            evaluation.holdout > 0 && evaluation.holdout <= 0.9, "holdout",
            "is \(evaluation.holdout); expected above 0, at most 0.9")
        let deadline = evaluation.deadlineSeconds
        try expect(
            deadline > 0 && deadline <= 31_536_000, "deadline_seconds",
            "is \(deadline); expected above 0, at most a year")
        if let best = evaluation.best {
            try expect(
                EvaluationAnswer.isName(best.metric), "best.metric",
                "is '\(best.metric)'; expected \(EvaluationAnswer.expectedName)")
        }
        if let patience = evaluation.patience {
            try expect((1...1_000_000).contains(patience), "patience", "is \(patience); expected 1 to 1000000")
            try expect(evaluation.best != nil, "patience", "needs evaluation.best, by which rounds are compared")
        }
        if let plateau = evaluation.plateau {
            try expect(evaluation.best != nil, "plateau", "needs evaluation.best, by which rounds are compared")
            try expect(
                server.optimizer != "none", "plateau",
                "lowers server.learning_rate, which server.optimizer: none does not use; expected momentum or adam")
            try expect(
                (1...1_000_000).contains(plateau.patience), "plateau.patience",
                "is \(plateau.patience); expected 1 to 1000000")
            try expect(
                plateau.factor > 0 && plateau.factor < 1, "plateau.factor",
                "is \(plateau.factor); expected a number between 0 and 1")
        }
    }
}
