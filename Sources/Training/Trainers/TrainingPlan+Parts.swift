extension TrainingPlan {
    /// One of the two matrices of a LoRA module.
    package enum Factor: String, Sendable, Hashable, CaseIterable {
        case a = "A"
        case b = "B"
    }

    /// How a client learns to do without its last components, and gives up ranks that way.
    package struct Pruning: Sendable, Hashable {
        /// The share of the components that stays.
        package var gamma: Double
        /// The weight λ of λ·‖B[:, g:]‖·‖A[g:, :]‖ in the loss, for each module of rank r and g = ⌊γ·r⌋.
        package var penalty: Double
        package var minRank: Int

        package init(gamma: Double, penalty: Double, minRank: Int) {
            self.gamma = gamma
            self.penalty = penalty
            self.minRank = minRank
        }

        /// g = ⌊γ·r⌋, how many components of a module are not penalised; nil where there would be none or no tail.
        package func kept(ofRank rank: Int) -> Int? {
            guard let kept = Int(exactly: (gamma * Double(rank)).rounded(.down)) else { return nil }
            return (1..<rank).contains(kept) ? kept : nil
        }

        /// The rank after one is given up: max(min_rank, ⌊γ·r⌋), never above `rank`.
        package func reduced(_ rank: Int) -> Int {
            kept(ofRank: rank).map { min(rank, max(minRank, $0)) } ?? rank
        }
    }

    /// A part of a federation's life in which something other than an adapter is trained.
    package struct Stage: Sendable, Hashable {
        package var name: String
        /// The share of a module's weights that a sparse stage trains.
        package var density: Double?
        /// Draws which weights they are.
        package var seed: UInt64?

        package init(name: String, density: Double? = nil, seed: UInt64? = nil) {
            self.name = name
            self.density = density
            self.seed = seed
        }
    }
}
