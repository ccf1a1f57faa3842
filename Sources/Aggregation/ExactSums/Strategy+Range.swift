package import AdapterFormat
import LinearAlgebra

/// A number of an update that is too large for an exact sum.
package struct ExactRangeError: Error, Hashable, Sendable {
    /// The tensor, without PEFT's prefix; nil where the weight itself is too large.
    package let tensor: String?
    /// The number, or the weight.
    package let value: Double
    /// What it is multiplied by.
    package let factor: Double
    package let limit: Double
    package let mostUpdates: Int
}

extension ExactRangeError: CustomStringConvertible {
    package var description: String {
        let bound = "exact sums of at most \(mostUpdates) updates take less than 2^38 / \(mostUpdates) = \(limit)"
        guard let tensor else { return "the update's weight is \(value); \(bound)" }
        return "\(tensor) has \(value), which times weight and scale is \(value * factor); \(bound)"
    }
}

extension Strategy {
    /// Checks that every number of an update, times the client's weight and scale, fits into an exact sum of the round.
    /// Does nothing where sums are float.
    ///
    /// - Parameters:
    ///   - update: validated, with finite numbers.
    ///   - shape: the federation's, at the maximum ranks.
    ///   - mostUpdates: how many updates a round can take, at least 1.
    package func checkRange(
        of update: AdapterFile, samples: Int, shape: AdapterShape, scaling: Scaling, round: Int, mostUpdates: Int
    ) throws(ExactRangeError) {
        guard sum == .exact else { return }
        let limit = FixedPoint.limit / Double(mostUpdates)
        let weight = weighting == .uniform ? 1 : Double(samples)
        guard weight < limit else {
            throw ExactRangeError(tensor: nil, value: weight, factor: 1, limit: limit, mostUpdates: mostUpdates)
        }
        func check(_ tensor: TensorView?, _ factor: Double) throws(ExactRangeError) {
            guard let tensor else { return }
            let largest = Double(tensor.largestMagnitude())
            guard largest * factor < limit else {
                throw ExactRangeError(
                    tensor: TensorName(parsing: tensor.name).bare, value: largest, factor: factor, limit: limit,
                    mostUpdates: mostUpdates)
            }
        }
        let factors = demand(in: round).factors
        for module in update.modules {
            guard let known = shape[module: module.name] else { continue }
            let scaling = scaling.of(known)
            if factors.contains(.a) { try check(module.a, weight) }
            guard factors.contains(.b) else { continue }
            let ratio = scaling.scale(atRank: module.rank) / scaling.scale(atRank: known.maximumRank)
            try check(module.b, weight * ratio)
            try check(module.bias, weight * ratio)
        }
        for tensor in update.dense { try check(tensor.values, weight) }
    }
}
