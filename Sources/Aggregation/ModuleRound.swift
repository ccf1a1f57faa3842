package import AdapterFormat

/// One module of a round: the clients' factors and what a projection needs.
struct ModuleRound: Sendable {
    /// One client's factors.
    struct Member: Sendable {
        let client: String
        let module: AdapterFile.Module
        let weight: Double
        /// s_k
        let scale: Double
        /// λ_k, the share of its step from the last adapter that counts.
        var stepShare = 1.0
    }

    /// With the rank that the round publishes: R, except under strategies that lower it.
    let shape: ModuleShape
    /// s_R
    let scale: Double
    /// The clients that hold the module, in the order of summation.
    let members: [Member]
    /// What no term of an exact sum may reach; nil where sums are float.
    let termLimit: Double?
    /// Draws new factors for the round.
    let fresh: InitialAdapter
    /// Memory for its sums.
    let pool: FloatPool

    /// Whether any client of any weight holds the module.
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

/// The published result of one module.
package struct ModuleResult: Sendable {
    package var factors: ModuleFactors
    /// What clients add to the frozen base, at scale 1; nil for nothing.
    package var merge: StackedFactors?
    /// The server optimizer's state after the round.
    package var moments: [ModuleFactors]

    package init(factors: ModuleFactors, merge: StackedFactors? = nil, moments: [ModuleFactors] = []) {
        self.factors = factors
        self.merge = merge
        self.moments = moments
    }
}
