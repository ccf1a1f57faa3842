/// What a client counts for before normalisation: w_k.
package enum Weighting: String, Sendable, Hashable, CaseIterable {
    /// n_k.
    case samples
    /// 1.
    case uniform

    /// One weight per contribution.
    ///
    /// - Throws: `noWeight` where all of them are zero.
    func weights(of contributions: [Contribution]) throws(AggregationError) -> [Double] {
        let weights: [Double] = contributions.map { contribution in
            switch self {
            case .samples: return Double(contribution.samples)
            case .uniform: return 1
            }
        }
        guard weights.contains(where: { $0 > 0 }) else { throw .noWeight }
        return weights
    }
}
