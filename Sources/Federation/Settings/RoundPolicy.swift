/// When a round opens, which clients it selects and when it closes.
package struct RoundPolicy: Sendable, Codable, Hashable {
    /// What happens at the deadline of a round without its quorum.
    package enum MissedQuorum: String, Sendable, Codable, CaseIterable {
        /// The deadline is extended by its own length.
        case extend
        /// The round fails; its updates are left out.
        case abandon
    }

    /// How many clients a round selects.
    package enum Selection: Sendable, Codable, Hashable {
        /// This many of the recently seen clients.
        case count(Int)
        /// This share of the recently seen clients; 1 selects everybody, also clients that come late.
        case fraction(Double)
    }

    /// Which clients are preferred where not all are selected.
    package enum Preference: String, Sendable, Codable, CaseIterable {
        /// All clients have the same chance.
        case uniform
        /// The chance is proportional to the samples of the client's last update.
        case samples
        /// The clients whose last selection is the oldest come first; ties are drawn at random.
        case leastRecent = "least_recent"
    }

    /// Makes a federation asynchronous: it selects nobody, and `size` updates make a version (FedBuff, arXiv
    /// 2106.06639).
    package struct Buffer: Sendable, Codable, Hashable {
        /// K, the number of updates that make a version.
        package var size: Int
        /// a in the discount 1/(1+τ)^a of an update that began τ versions ago.
        package var stalenessExponent: Double
        /// The largest accepted τ.
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

    /// The number of rounds that the federation runs.
    package var total: Int
    /// The number of clients that must be registered before round 1 opens.
    package var minimumClients: Int
    /// The quorum: a round never closes with fewer updates.
    package var minimumUpdates: Int
    /// The number of updates that closes a round early.
    package var targetUpdates: Int?
    package var deadlineSeconds: Double
    package var onMissedQuorum: MissedQuorum
    package var selection: Selection
    package var preference: Preference
    /// The share of clients selected beyond `selection`. The round then closes when as many have answered as
    /// `selection` gives.
    package var overSelection: Double
    /// A client counts as seen for this many seconds after a call.
    package var seenSeconds: Double
    /// The number of updates that must reach every rank component of every module before a round closes; nil for none.
    package var minimumCoverage: Int?
    /// Makes the federation asynchronous. The deadline and the quorum then decide when fewer than K updates suffice.
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

    /// Whether a round selects all clients, including those that join while it collects.
    package var selectsEverybody: Bool { selection == .fraction(1) && buffer == nil }

    /// How many of `eligible` clients should answer a round, before over-selection; at least the quorum.
    package func cohort(of eligible: Int) -> Int {
        let wanted =
            switch selection {
            case .count(let count): count
            case .fraction(let fraction): Self.ceiling(fraction * Double(eligible))
            }
        return min(eligible, max(wanted, minimumUpdates))
    }

    /// How many of `eligible` clients are selected, so that a cohort answers.
    package func invited(of eligible: Int) -> Int {
        min(eligible, Self.ceiling(Double(cohort(of: eligible)) * (1 + overSelection)))
    }

    /// For how many seconds a client that is not selected may stay away; nil where it should wait for its plan on a
    /// connection, because there are few clients or everybody is selected.
    ///
    /// Then the clients that come back together make about `Pace.callsPerSecond` calls at each server. It is never so long
    /// that a client stops to count as seen, or that one that is drawn meanwhile misses the round.
    package func comeBackSeconds(clients: Int, servers: Int) -> Double? {
        guard !selectsEverybody, buffer == nil else { return nil }
        let wanted = Double(clients) / (Pace.callsPerSecond * Double(max(1, servers)))
        let longest = min(seenSeconds / 2, deadlineSeconds / 4)
        guard wanted > Pace.shortest, longest > Pace.shortest else { return nil }
        return min(wanted, longest)
    }

    private enum Pace {
        static let callsPerSecond = 200.0
        /// For less, in seconds, a connection that waits is cheaper than a new one.
        static let shortest = 25.0
    }

    /// Rounds a product of a decimal up, but tolerates a small excess: 0.07 × 100 is 7.000000000000001.
    private static func ceiling(_ product: Double) -> Int { Int(clamping: (product * (1 - 1e-12)).rounded(.up)) }
}

extension RoundPolicy {
    /// Policies from before preferences existed draw uniformly.
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
