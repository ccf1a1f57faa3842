import Glibc

/// The weight w_k of a client before normalisation.
package enum Weighting: Sendable, Hashable {
    /// n_k.
    case samples
    /// 1.
    case uniform
    /// ‖s_k·B_k·A_k‖_F over all modules.
    case norm
    /// n_k times the position of a score that mixes the update's norm and its accuracy; `normShare` is the norm's
    /// share.
    case ranking(normShare: Double)
    /// n_k·F_k^q with the loss F_k that the client reports: q-FedAvg's weights (Li et al., arXiv 1905.10497), which favour the
    /// clients whom the model serves worst. `power` is q; 0 gives `samples`.
    case loss(power: Double)

    package static let names = ["samples", "uniform", "norm", "ranking", "loss"]

    package var name: String {
        switch self {
        case .samples: "samples"
        case .uniform: "uniform"
        case .norm: "norm"
        case .ranking: "ranking"
        case .loss: "loss"
        }
    }

    var needsNorms: Bool {
        switch self {
        case .samples, .uniform, .loss: false
        case .norm, .ranking: true
        }
    }

    /// Why a client's weight is unknown without all others, as "it …"; nil where it is known.
    var objectionToExactSum: String? {
        needsNorms ? "weighs by \(name), which needs an exchange between all clients' updates first" : nil
    }

    /// One weight per contribution.
    ///
    /// - Parameters:
    ///   - norms: one per contribution where the weighting needs them, else empty.
    ///   - isPart: whether further clients follow, so that all of these may have weight zero.
    /// - Throws: `noWeight` where all weights are zero; but if all norms are zero, the weights are by samples.
    func weights(
        of contributions: [Contribution], norms: [Double], isPart: Bool = false
    ) throws(AggregationError) -> [Double] {
        var weights = try plainWeights(of: contributions, norms: norms)
        for (index, contribution) in contributions.enumerated() { weights[index] *= contribution.discount }
        guard isPart || weights.contains(where: { $0 > 0 }) else { throw .noWeight }
        return weights
    }

    private func plainWeights(of contributions: [Contribution], norms: [Double]) throws(AggregationError) -> [Double] {
        let samples = contributions.map { Double($0.samples) }
        switch self {
        case .samples: return samples
        case .uniform: return contributions.map { _ in 1 }
        case .loss(let power):
            return try contributions.map { contribution throws(AggregationError) in
                guard let loss = contribution.loss, loss.isFinite, loss >= 0 else {
                    throw .noLoss(client: contribution.client)
                }
                return Double(contribution.samples) * pow(loss, power)
            }
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

    /// The position of each value among all, in (0, 1]: the smallest 1/K, the largest 1; equal values share their mean
    /// position.
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
