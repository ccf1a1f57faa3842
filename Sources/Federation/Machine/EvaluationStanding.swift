/// What the evaluations of a federation have led to so far.
package struct EvaluationStanding: Sendable, Codable, Hashable {
    /// The best evaluated round, and its mean of the metric that the settings name.
    package struct Best: Sendable, Codable, Hashable {
        package let round: Int
        package let value: Double

        package init(round: Int, value: Double) {
            self.round = round
            self.value = value
        }
    }

    package internal(set) var best: Best?
    /// How many evaluated rounds since have been no better.
    package internal(set) var withoutImprovement: Int
    /// The same, since the learning rate was lowered last.
    package internal(set) var sinceReduction: Int
    /// The rounds from which on the server's learning rate is lower, once more each.
    package internal(set) var reductions: [Int]
    /// Why the federation ended early.
    package internal(set) var stoppedFor: String?

    package init() {
        best = nil
        withoutImprovement = 0
        sinceReduction = 0
        reductions = []
        stoppedFor = nil
    }

    /// Takes an evaluation's figure in. A round without one says nothing.
    mutating func take(_ value: Double?, ofRound round: Int, _ mode: EvaluationPolicy.Direction) {
        guard let value else { return }
        if let best, !mode.isBetter(value, than: best.value) {
            withoutImprovement += 1
            sinceReduction += 1
        } else {
            best = Best(round: round, value: value)
            withoutImprovement = 0
            sinceReduction = 0
        }
    }
}

extension FederationMachine {
    /// What the evaluations so far have led to.
    package var standing: EvaluationStanding { evaluation?.standing ?? EvaluationStanding() }

    /// The server's learning rate for a round, after all plateaus so far.
    package func serverLearningRate(inRound round: Int) -> Double {
        guard let plateau = settings.evaluation?.plateau else { return settings.server.learningRate }
        return standing.reductions.reduce(settings.server.learningRate) { rate, first in
            first <= round ? rate * plateau.factor : rate
        }
    }
}
