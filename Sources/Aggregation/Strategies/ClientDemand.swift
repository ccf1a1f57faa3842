package import AdapterFormat

/// What a strategy asks of its clients in a round; the plan carries it.
package struct ClientDemand: Sendable, Hashable {
    /// The factors to train and to send.
    package var factors: FactorSet = .both
    /// Whether the adapter to start from has nothing of the round before in it.
    package var isFresh = false
    /// The round that names the stream from which A was drawn; nil where A is not drawn.
    package var drawnRound: Int?
    /// μ of the penalty μ·‖B·A‖² in the clients' loss.
    package var penalty = 0.0
    package var pruning: Pruning?
    package var sparse: SparseStage?

    /// How a client finds out that it needs fewer components.
    package struct Pruning: Sendable, Hashable {
        /// The share of the components that is kept: those from ⌊γ·r⌋ on are the tail.
        package let gamma: Double
        /// The weight of ‖B[:, g:]‖·‖A[g:, :]‖ in the loss.
        package let penalty: Double
        package let minimumRank: Int
    }

    /// Full weights are trained under a common mask.
    package struct SparseStage: Sendable, Hashable {
        /// The share of a module's weights that is trained.
        package let density: Double
    }
}
