/// What a trainer found when it scored an adapter on held-out examples.
package struct EvaluationOutcome: Sendable, Hashable {
    /// How many examples were scored; 0 where none are held out, and then there are no metrics.
    package var samples: Int
    /// By name, such as `loss`, `accuracy` and `perplexity`.
    package var metrics: [String: Double]

    package init(samples: Int, metrics: [String: Double]) {
        self.samples = samples
        self.metrics = metrics
    }

    package static let withoutData = EvaluationOutcome(samples: 0, metrics: [:])
}
