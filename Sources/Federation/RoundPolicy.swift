/// When a round opens, whom it selects and when it closes.
package struct RoundPolicy: Sendable, Codable, Hashable {
    package enum MissedQuorum: String, Sendable, Codable, CaseIterable {
        /// The deadline moves on by its own length.
        case extend
        /// The round fails; its updates are left out.
        case abandon
    }

    package enum Selection: Sendable, Codable, Hashable {
        /// This many of the clients seen lately.
        case count(Int)
        /// This share of the clients seen lately; 1 selects everybody, late-comers included.
        case fraction(Double)
    }

    /// Rounds that the federation runs.
    package var total: Int
    /// Clients that must be registered before round 1 opens.
    package var minimumClients: Int
    /// A round never closes with fewer updates.
    package var minimumUpdates: Int
    /// A round closes early once it holds this many.
    package var targetUpdates: Int?
    package var deadlineSeconds: Double
    package var onMissedQuorum: MissedQuorum
    package var selection: Selection
    /// The share selected beyond `selection`; the round then closes when as many as `selection` says have answered.
    package var overSelection: Double
    /// How long ago a client may have called and still count as seen.
    package var seenSeconds: Double

    package init(
        total: Int, minimumClients: Int, minimumUpdates: Int, targetUpdates: Int?, deadlineSeconds: Double,
        onMissedQuorum: MissedQuorum, selection: Selection, overSelection: Double, seenSeconds: Double
    ) {
        self.total = total
        self.minimumClients = minimumClients
        self.minimumUpdates = minimumUpdates
        self.targetUpdates = targetUpdates
        self.deadlineSeconds = deadlineSeconds
        self.onMissedQuorum = onMissedQuorum
        self.selection = selection
        self.overSelection = overSelection
        self.seenSeconds = seenSeconds
    }

    /// Whether everybody is selected, and so whoever joins while a round collects.
    package var selectsEverybody: Bool { selection == .fraction(1) }

    /// How many of `eligible` clients answer a round, before over-selection; at least the quorum.
    package func cohort(of eligible: Int) -> Int {
        let wanted =
            switch selection {
            case .count(let count): count
            case .fraction(let fraction): Self.ceiling(fraction * Double(eligible))
            }
        return min(eligible, max(wanted, minimumUpdates))
    }

    /// How many of `eligible` clients are selected so that a cohort answers.
    package func invited(of eligible: Int) -> Int {
        min(eligible, Self.ceiling(Double(cohort(of: eligible)) * (1 + overSelection)))
    }

    /// Rounds up a product of a decimal, which may stand a hair too high: 0.07 × 100 is 7.000000000000001.
    private static func ceiling(_ product: Double) -> Int { Int((product * (1 - 1e-12)).rounded(.up)) }
}
