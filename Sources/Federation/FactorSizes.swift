/// The sizes of the entries of an update's factors, module by module.
///
/// The product of two factors does not show them: A·c and B/c have the same product. Averaged with other clients'
/// factors, A·c dominates the mean and B/c vanishes in it.
package struct FactorSizes: Sendable, Hashable {
    /// For each module path, in ascending order: the root mean square of A's entries, then that of (s_k/s_R)·B's. A
    /// missing factor has 0.
    package let values: [Float]

    package init(values: [Float]) { self.values = values }
}

extension FederationSettings.Adapter {
    /// The module paths, in the order of `FactorSizes`.
    package var modulePaths: [String] {
        modules.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }
}

extension RoundMachine {
    /// The lowest number of nonzero factors for which a median is computed.
    private static let leastFactors = 3

    /// The received updates with a factor whose size exceeds `limit` times the median of the nonzero sizes, with the
    /// reason.
    func unbalanced(above limit: Double?, in adapter: FederationSettings.Adapter) -> [ClientName: String] {
        guard let limit else { return [:] }
        let paths = adapter.modulePaths
        let measured = accepted.compactMap { update in update.factorSizes.map { (update.client, $0.values) } }
            .filter { $0.1.count == 2 * paths.count }
        guard measured.count >= Self.leastFactors else { return [:] }
        var reasons: [ClientName: String] = [:]
        for place in 0..<2 * paths.count {
            let sizes = measured.map { Double($0.1[place]) }.filter { $0 > 0 }.sorted()
            guard sizes.count >= Self.leastFactors, let median = sizes.median, sizes[sizes.count - 1] > limit * median
            else { continue }
            let factor = "\(paths[place / 2]).lora_\(place.isMultiple(of: 2) ? "A" : "B")"
            for (client, values) in measured where Double(values[place]) > limit * median && reasons[client] == nil {
                reasons[client] =
                    "update.balance: the root mean square of \(factor), \(values[place]), is above \(limit) times the "
                    + "median of the round's updates, \(median)"
            }
        }
        return reasons
    }
}

extension [Double] {
    /// The median of ascending numbers; nil where there are none.
    var median: Double? {
        guard !isEmpty else { return nil }
        return count.isMultiple(of: 2) ? self[count / 2 - 1] / 2 + self[count / 2] / 2 : self[count / 2]
    }
}
