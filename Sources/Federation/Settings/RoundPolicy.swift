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

    /// Who is drawn first where not everybody is selected.
    package enum Preference: String, Sendable, Codable, CaseIterable {
        /// Everybody has the same chance.
        case uniform
        /// The chance is proportional to the samples of the client's last update.
        case samples
        /// Those whose last selection is longest ago, by lot among equals.
        case leastRecent = "least_recent"
    }

    /// An asynchronous federation: nobody is selected, and every so many updates make a version (FedBuff,
    /// arXiv 2106.06639).
    package struct Buffer: Sendable, Codable, Hashable {
        /// K: the updates that make a version.
        package var size: Int
        /// a in the discount 1/(1+τ)^a of an update that began τ versions ago.
        package var stalenessExponent: Double
        /// The largest τ that is taken.
        package var maximumStaleness: Int

        package init(size: Int, stalenessExponent: Double, maximumStaleness: Int) {
            self.size = size
            self.stalenessExponent = stalenessExponent
            self.maximumStaleness = maximumStaleness
        }
    }

    private enum CodingKeys: String, CodingKey {
        case total, minimumClients, minimumUpdates, targetUpdates, deadlineSeconds, onMissedQuorum, selection
        case preference, overSelection, seenSeconds, minimumCoverage, buffer
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
    package var preference: Preference
    /// The share selected beyond `selection`; the round then closes when as many as `selection` says have answered.
    package var overSelection: Double
    /// How long ago a client may have called and still count as seen.
    package var seenSeconds: Double
    /// How many updates must reach every rank component of every module before a round closes; nil for any number.
    package var minimumCoverage: Int?
    /// Makes the federation asynchronous; the deadline and the quorum then say when fewer than K updates are enough.
    package var buffer: Buffer?

    package init(
        total: Int, minimumClients: Int, minimumUpdates: Int, targetUpdates: Int?, deadlineSeconds: Double,
        onMissedQuorum: MissedQuorum, selection: Selection, preference: Preference = .uniform, overSelection: Double,
        seenSeconds: Double, minimumCoverage: Int? = nil, buffer: Buffer? = nil
    ) {
        self.total = total
        self.minimumClients = minimumClients
        self.minimumUpdates = minimumUpdates
        self.targetUpdates = targetUpdates
        self.deadlineSeconds = deadlineSeconds
        self.onMissedQuorum = onMissedQuorum
        self.selection = selection
        self.preference = preference
        self.overSelection = overSelection
        self.seenSeconds = seenSeconds
        self.minimumCoverage = minimumCoverage
        self.buffer = buffer
    }

    /// Whether everybody is selected, and so whoever joins while a round collects.
    package var selectsEverybody: Bool { selection == .fraction(1) && buffer == nil }

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
    private static func ceiling(_ product: Double) -> Int { Int(clamping: (product * (1 - 1e-12)).rounded(.up)) }
}

extension RoundPolicy {
    /// Policies that were stored before there were preferences draw uniformly.
    package init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            total: try values.decode(Int.self, forKey: .total),
            minimumClients: try values.decode(Int.self, forKey: .minimumClients),
            minimumUpdates: try values.decode(Int.self, forKey: .minimumUpdates),
            targetUpdates: try values.decodeIfPresent(Int.self, forKey: .targetUpdates),
            deadlineSeconds: try values.decode(Double.self, forKey: .deadlineSeconds),
            onMissedQuorum: try values.decode(MissedQuorum.self, forKey: .onMissedQuorum),
            selection: try values.decode(Selection.self, forKey: .selection),
            preference: try values.decodeIfPresent(Preference.self, forKey: .preference) ?? .uniform,
            overSelection: try values.decode(Double.self, forKey: .overSelection),
            seenSeconds: try values.decode(Double.self, forKey: .seenSeconds),
            minimumCoverage: try values.decodeIfPresent(Int.self, forKey: .minimumCoverage),
            buffer: try values.decodeIfPresent(Buffer.self, forKey: .buffer))
    }
}
