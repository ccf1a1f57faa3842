/// What a client counts for before normalisation: w_k.
package enum Weighting: Sendable, Hashable {
    /// n_k.
    case samples
    /// 1.
    case uniform
    /// ‖s_k·B_k·A_k‖_F over all modules.
    case norm
    /// n_k times the position of a score of the update's norm and its accuracy; `normShare` is the norm's part in it.
    case ranking(normShare: Double)

    package static let names = ["samples", "uniform", "norm", "ranking"]

    package var name: String {
        switch self {
        case .samples: "samples"
        case .uniform: "uniform"
        case .norm: "norm"
        case .ranking: "ranking"
        }
    }

    var needsNorms: Bool {
        switch self {
        case .samples, .uniform: false
        case .norm, .ranking: true
        }
    }

    /// One weight per contribution.
    ///
    /// - Parameter norms: one per contribution where they are needed, else empty.
    /// - Throws: `noWeight` where all of them are zero, but norms that are all zero fall back to samples.
    func weights(of contributions: [Contribution], norms: [Double]) throws(AggregationError) -> [Double] {
        var weights = try plainWeights(of: contributions, norms: norms)
        for (index, contribution) in contributions.enumerated() { weights[index] *= contribution.discount }
        guard weights.contains(where: { $0 > 0 }) else { throw .noWeight }
        return weights
    }

    private func plainWeights(of contributions: [Contribution], norms: [Double]) throws(AggregationError) -> [Double] {
        let samples = contributions.map { Double($0.samples) }
        switch self {
        case .samples: return samples
        case .uniform: return contributions.map { _ in 1 }
        case .norm: return norms.contains { $0 > 0 } ? norms : samples
        case .ranking(let share):
            var accuracies: [Double] = []
            for contribution in contributions {
                guard let accuracy = contribution.accuracy, accuracy.isFinite else {
                    throw .noAccuracy(client: contribution.client)
                }
                accuracies.append(accuracy)
            }
            let scores = zip(Self.positions(of: norms), Self.positions(of: accuracies)).map {
                share * $0 + (1 - share) * $1
            }
            return zip(samples, Self.positions(of: scores)).map { $0 * $1 }
        }
    }

    /// Where each value stands among all, in (0, 1]: the smallest 1/K, the largest 1; ties share their mean position.
    static func positions(of values: [Double]) -> [Double] {
        let order = values.indices.sorted { values[$0] < values[$1] }
        var positions = [Double](repeating: 0, count: values.count)
        var first = 0
        while first < order.count {
            var last = first
            while last + 1 < order.count, values[order[last + 1]] == values[order[first]] { last += 1 }
            let shared = Double(first + last + 2) / 2 / Double(values.count)
            for place in first...last { positions[order[place]] = shared }
            first = last + 1
        }
        return positions
    }
}
