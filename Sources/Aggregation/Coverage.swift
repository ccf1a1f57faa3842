/// How the clients' weights for a module become the coefficients c_ki of its rank components.
package enum Coverage: Sendable, Hashable {
    /// p_k = w_k / Σ w_j: a component that a client lacks counts as zero and dilutes the mean.
    case padded
    /// w_k / Σ_{j: r_j ≥ i} w_j: the mean is over the clients that reach the component.
    case reached

    /// The coefficients of one module.
    struct Coefficients: Sendable {
        /// c_ki of client k, for the components that it holds.
        let ofClients: [[Double]]
        /// Whether any client of any weight holds component i.
        let isCovered: [Bool]
    }

    /// - Parameters:
    ///   - weights: w_k of the clients that hold the module, at least zero.
    ///   - ranks: r_k, none above `rank`.
    func coefficients(weights: [Double], ranks: [Int], rank: Int) -> Coefficients {
        let totals: [Double]
        switch self {
        case .padded: totals = [Double](repeating: weights.reduce(0, +), count: rank)
        case .reached:
            var reaching = [Double](repeating: 0, count: rank)
            for (weight, held) in zip(weights, ranks) {
                for component in 0..<held { reaching[component] += weight }
            }
            totals = reaching
        }
        let ofClients = zip(weights, ranks).map { weight, held in
            totals[..<held].map { $0 > 0 ? weight / $0 : 0 }
        }
        return Coefficients(ofClients: ofClients, isCovered: totals.map { $0 > 0 })
    }
}
