/// The numbers that a client reports of its training, beside the adapter.
package struct TrainingOutcome: Sendable, Hashable {
    /// The number of the client's own examples.
    package var samples: Int
    /// The mean cross-entropy over the last epoch, in nats.
    package var loss: Double
    /// The share of examples classified correctly over the last epoch, 0 to 1; nil where examples have no classes.
    package var accuracy: Double?

    package init(samples: Int, loss: Double, accuracy: Double?) {
        self.samples = samples
        self.loss = loss
        self.accuracy = accuracy
    }
}
