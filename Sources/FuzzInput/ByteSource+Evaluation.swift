package import Federation

/// Evaluations out of bytes.
extension ByteSource {
    /// A policy of which any part may be unsound; often none.
    mutating func evaluation() -> EvaluationPolicy? {
        guard byte() % 3 == 0 else { return nil }
        return EvaluationPolicy(
            every: flag() ? 1 : integer(), fraction: flag() ? 1 : number(), holdout: flag() ? 0.2 : number(),
            deadlineSeconds: flag() ? 10 : number(),
            best: flag() ? .init(metric: pick(["accuracy", "loss", "", "Z"]), mode: pick([.max, .min])) : nil,
            patience: flag() ? integer() : nil,
            plateau: byte() % 4 == 0 ? .init(patience: integer(), factor: flag() ? 0.5 : number()) : nil)
    }

    /// A client's answer as it may come.
    package mutating func evaluationAnswer() -> EvaluationAnswer {
        var metrics: [String: Double] = [:]
        for _ in 0..<byte() % 4 { metrics[pick(["accuracy", "loss", "perplexity", "Z"])] = number() }
        return EvaluationAnswer(samples: integer(), metrics: metrics)
    }
}
