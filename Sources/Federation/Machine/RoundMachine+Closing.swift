/// How a round stops collecting, and how it resumes collecting.
extension RoundMachine {
    /// The result of `closeIfDue`.
    package enum Closing: Sendable, Hashable {
        case notYet
        /// These received updates are left out.
        case aggregate(leftOut: [ClientName])
        case extended(reason: String)
        case abandoned(reason: String)
    }

    /// Closes, extends or abandons the round if it is due.
    package mutating func closeIfDue(at now: Timestamp, settings: FederationSettings) -> Closing {
        guard phase == .collecting else { return .notYet }
        guard now >= deadline || isComplete(in: settings) else { return .notYet }
        let outliers = outliers(above: settings.limits.normOverMedian).merging(
            unbalanced(above: settings.limits.factorOverMedian, in: settings.adapter)
        ) { norm, _ in norm }
        guard let shortfall = shortfall(without: outliers, in: settings.adapter) else {
            leaveOut(outliers)
            phase = .aggregating
            closedAt = now
            return .aggregate(leftOut: outliers.keys.sorted())
        }
        guard now >= deadline else { return .notYet }
        switch settings.policy.onMissedQuorum {
        case .extend:
            deadline = now.adding(seconds: settings.policy.deadlineSeconds)
            return .extended(reason: shortfall)
        case .abandon:
            fail(reason: shortfall, at: now)
            return .abandoned(reason: shortfall)
        }
    }

    /// Leaves accepted updates out, for these reasons.
    mutating func leaveOut(_ reasons: [ClientName: String]) {
        for (client, reason) in reasons where updates[client]?.status == .accepted {
            updates[client]?.status = .leftOut(reason: reason)
        }
    }

    /// Whether the round waits for no further update.
    private func isComplete(in settings: FederationSettings) -> Bool {
        if let targetUpdates, acceptedCount >= targetUpdates { return true }
        return settings.policy.buffer == nil && participations.tally.awaited == 0
    }

    /// Why the round cannot close; nil where it can. The quorum counts all accepted updates, so that those left out
    /// as outliers do not keep the round open.
    private func shortfall(without outliers: [ClientName: String], in adapter: FederationSettings.Adapter) -> String? {
        guard acceptedCount >= minimumUpdates else {
            return "\(acceptedCount) of at least \(minimumUpdates.counted("update")) arrived by the deadline"
        }
        guard let minimumCoverage else { return nil }
        let counted = accepted.filter { outliers[$0.client] == nil }
        guard let least = Self.coverage(of: counted, in: adapter), least.count < minimumCoverage else { return nil }
        return
            "\(least.count) of at least \(minimumCoverage.counted("update")) reached every rank component of \(least.module)"
    }

    /// The present coverage: the lowest number of updates that reach a rank component, over all modules.
    package func coverage(in adapter: FederationSettings.Adapter) -> Int? {
        Self.coverage(of: accepted, in: adapter)?.count
    }

    /// Only a module's highest component is counted, because the fewest updates reach it.
    private static func coverage(
        of updates: [Update], in adapter: FederationSettings.Adapter
    ) -> (module: String, count: Int)? {
        var counts = adapter.modules.mapValues { _ in 0 }
        let highest = adapter.maximumRanks
        for update in updates {
            let ranks = update.ranks ?? adapter.ranks(forClientRank: update.rank)
            for (module, rank) in ranks where rank >= highest[module] ?? .max { counts[module, default: 0] += 1 }
        }
        return counts.min { ($0.value, $0.key) < ($1.value, $1.key) }.map { ($0.key, $0.value) }
    }

    /// The received updates whose norm exceeds `factor` times the median of the nonzero norms, with the reason. Updates
    /// of zeros do not count for the median, so that they cannot disable the test.
    private func outliers(above factor: Double?) -> [ClientName: String] {
        guard let factor else { return [:] }
        let measured = accepted.compactMap { update in update.norm.map { (update.client, $0) } }
        guard let median = measured.map(\.1).filter({ $0 > 0 }).sorted().median else { return [:] }
        var reasons: [ClientName: String] = [:]
        for (client, norm) in measured where norm > factor * median {
            reasons[client] = "its norm, \(norm), is above \(factor) times the median of the round's updates, \(median)"
        }
        return reasons
    }

    /// Gives up updates whose bytes are lost, and collects again. The deadline is extended for it at most once in a
    /// round.
    ///
    /// - Parameter absent: those of the clients that cannot be asked again.
    mutating func lose(
        _ reasons: [ClientName: String], absent: Set<ClientName>, at now: Timestamp, extendingBy seconds: Double,
        revision: Int64
    ) {
        for (client, place) in participations where place.state == .awaited {
            participations[client] = Participation(state: .cut, revision: revision, rank: place.rank)
        }
        for (client, reason) in reasons {
            updates[client]?.status = .lost(reason: reason)
            participations[client] = Participation(
                state: absent.contains(client) ? .left : .awaited, revision: revision)
        }
        for (client, update) in updates {
            if case .leftOut = update.status { updates[client]?.status = .accepted }
        }
        phase = .collecting
        closedAt = nil
        if !hasReopened {
            hasReopened = true
            deadline = max(deadline, now.adding(seconds: seconds))
        }
    }
}
