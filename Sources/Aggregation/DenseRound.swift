import AdapterFormat
import LinearAlgebra

/// One tensor beside the factors in a round: the clients that hold it, and how its next value comes about.
struct DenseRound: Sendable {
    let tensor: AdapterShape.Dense
    let holders: [Cohort.Holder]
    /// The middle of each coordinate takes the place of the mean; nil for the mean.
    var middle: MiddleRule?

    private var total: Double { holders.reduce(0) { $0 + $1.weight } }

    /// Whether the round itself gives a value.
    var isPublished: Bool { middle.map { $0.places(of: holders.count) != nil } ?? (total > 0) }

    var needsEarlier: Bool { !isPublished || holders.contains { $0.stepShare < 1 } }

    /// The middle of each coordinate or Σ_k p_k·x_k; the earlier value where the round gives none.
    ///
    /// - Parameter earlier: nil for none. Steps are then not shortened, since there are none.
    func values(earlier: [Float]?) -> [Float] {
        let count = tensor.elementCount
        guard isPublished else { return earlier ?? [Float](repeating: 0, count: count) }
        if let middle {
            let terms = holders.map { (tensor: $0.values, scale: Float(1)) }
            return CoordinateMiddle(rule: middle, factors: .both).values(of: terms, count: count) ?? []
        }
        let total = total
        // As one row, except where each row has its own channel.
        let rows = holders.contains { $0.values.messageBits != nil } ? tensor.shape[0] : 1
        let parts = holders.map { (share: $0.weight / total, step: earlier == nil ? 1 : $0.stepShare) }
        var mean = sum(
            zip(holders, parts).map { ($0.values, [Double](repeating: $1.share * $1.step, count: rows)) }, count: count,
            pool: FloatPool()
        ) {
            accumulateRows($0, columns: count / rows, into: $1)
        }
        if let earlier { mean.add(earlier, times: parts.reduce(0) { $0 + $1.share * (1 - $1.step) }) }
        return mean
    }
}

extension [Float] {
    /// Adds another value's numbers times a factor; nothing where it is 0.
    mutating func add(_ other: [Float], times factor: Double) {
        guard factor != 0 else { return }
        let factor = Float(factor)
        for index in 0..<Swift.min(count, other.count) { self[index] += factor * other[index] }
    }
}
