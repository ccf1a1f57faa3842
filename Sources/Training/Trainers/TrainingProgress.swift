/// The progress of a round of training.
package struct TrainingProgress: Sendable, Hashable {
    /// The epoch, from 1.
    package var epoch: Int
    package var epochs: Int
    /// The mini-batch within the epoch, from 1; nil at the end of the epoch.
    package var step: Int?
    /// The mean cross-entropy so far in the epoch, in nats.
    package var loss: Double
    /// The share of examples classified correctly so far in the epoch.
    package var accuracy: Double?

    package init(epoch: Int, epochs: Int, step: Int? = nil, loss: Double, accuracy: Double? = nil) {
        self.epoch = epoch
        self.epochs = epochs
        self.step = step
        self.loss = loss
        self.accuracy = accuracy
    }
}
