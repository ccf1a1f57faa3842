package import AdapterFormat

/// What a round holds of one module.
struct ModuleRound: Sendable {
    /// One client's factors.
    struct Member: Sendable {
        let module: AdapterFile.Module
        let weight: Double
        /// s_k
        let scale: Double
    }

    /// With the rank that the round publishes, which is R but for strategies that lower it.
    let shape: ModuleShape
    /// s_R
    let scale: Double
    /// The clients that hold the module, in the order of every sum.
    let members: [Member]
    /// Draws what the round begins afresh.
    let fresh: InitialAdapter
    /// Where its sums are formed.
    let pool: FloatPool

    /// Whether anyone of any weight holds the module.
    var isHeld: Bool { members.contains { $0.weight > 0 } }

    /// c_ki of every member.
    func coefficients(_ coverage: Coverage) -> Coverage.Coefficients {
        coverage.coefficients(
            weights: members.map(\.weight), ranks: members.map { min($0.module.rank, shape.maximumRank) },
            rank: shape.maximumRank)
    }

    /// p_k of every member.
    var shares: [Double] {
        let total = members.reduce(0) { $0 + $1.weight }
        return members.map { total > 0 ? $0.weight / total : 0 }
    }
}

/// What a round publishes of one module.
package struct ModuleResult: Sendable {
    package var factors: ModuleFactors
    /// What is added to the frozen base, at scale 1; nil where there is nothing to add.
    package var merge: StackedFactors?
    /// The server optimizer's state after the round.
    package var moments: [ModuleFactors]

    package init(factors: ModuleFactors, merge: StackedFactors? = nil, moments: [ModuleFactors] = []) {
        self.factors = factors
        self.merge = merge
        self.moments = moments
    }
}
