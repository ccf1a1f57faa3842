/// How many updates reach each rank component of a module.
///
/// An update of rank r reaches the components 1 to r, so the counts fall from component to component.
package struct RankCoverage: Sendable, Hashable {
    /// Components in a row that the same number of updates reach.
    package struct Step: Sendable, Hashable {
        /// The last component of the step, from 1.
        package let through: Int
        package let updates: Int
    }

    package let maximumRank: Int
    /// From the first component to the last; at least one step.
    package let steps: [Step]

    /// - Parameter ranks: the ranks of the updates in this module, in any order.
    package init(of ranks: [Int], maximumRank: Int) {
        self.maximumRank = maximumRank
        var steps: [Step] = []
        let ascending = ranks.map { min($0, maximumRank) }.sorted()
        for (index, rank) in ascending.enumerated() where rank > steps.last?.through ?? 0 {
            steps.append(Step(through: rank, updates: ascending.count - index))
        }
        if steps.last?.through ?? 0 < maximumRank { steps.append(Step(through: maximumRank, updates: 0)) }
        self.steps = steps
    }
}

extension RoundMachine {
    /// The coverage of each module by the updates that count.
    package func rankCoverage(in adapter: FederationSettings.Adapter) -> [String: RankCoverage] {
        var ranks: [String: [Int]] = [:]
        for update in accepted {
            ranks.merge(
                (update.ranks ?? adapter.ranks(forClientRank: update.rank)).mapValues { [$0] }, uniquingKeysWith: +)
        }
        return Dictionary(
            uniqueKeysWithValues: adapter.maximumRanks.map { module, highest in
                (module, RankCoverage(of: ranks[module] ?? [], maximumRank: highest))
            })
    }
}
