/// How a client penalises its last rank components and lowers its rank when they shrink (`hetlora`).
package struct RankPruning: Sendable, Hashable {
    /// The fraction of the components that is kept.
    package var gamma: Double
    /// The weight λ of λ·‖B[:, g:]‖·‖A[g:, :]‖ in the loss, for each module of rank r and g = ⌊γ·r⌋.
    package var penalty: Double
    package var minRank: Int

    package init(gamma: Double, penalty: Double, minRank: Int) {
        self.gamma = gamma
        self.penalty = penalty
        self.minRank = minRank
    }

    /// g = ⌊γ·r⌋, the number of a module's components that are not penalised; nil where this is 0 or leaves no tail.
    package func kept(ofRank rank: Int) -> Int? {
        guard let kept = Int(exactly: (gamma * Double(rank)).rounded(.down)) else { return nil }
        return (1..<rank).contains(kept) ? kept : nil
    }

    /// The lowered rank: max(min_rank, ⌊γ·r⌋), never above `rank`.
    package func reduced(_ rank: Int) -> Int {
        kept(ofRank: rank).map { min(rank, max(minRank, $0)) } ?? rank
    }
}
