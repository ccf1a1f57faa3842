package import AdapterFormat

/// A strategy's instructions to its clients for a round; the plan carries them.
package struct ClientDemand: Sendable, Hashable {
    /// The factors to train and to send.
    package var factors: FactorSet = .both
    /// Whether the adapter to start from is new and has nothing of the round before.
    package var isFresh = false
    /// The round whose stream A was drawn from; nil where A is not drawn.
    package var drawnRound: Int?
    /// μ of the penalty μ·‖B·A‖² in the clients' loss.
    package var penalty = 0.0
    package var pruning: Pruning?
    package var sparse: SparseStage?

    /// How a client detects that it needs fewer components.
    package struct Pruning: Sendable, Hashable {
        /// γ, the share of components to keep: the tail begins at ⌊γ·r⌋.
        package let gamma: Double
        /// The weight of ‖B[:, g:]‖·‖A[g:, :]‖ in the loss.
        package let penalty: Double
        package let minimumRank: Int
    }

    /// A stage that trains full weights under a common mask.
    package struct SparseStage: Sendable, Hashable {
        /// The share of a module's weights that it trains.
        package let density: Double
    }
}
