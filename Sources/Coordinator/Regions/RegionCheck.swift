import AdapterFormat
import Aggregation
import Federation

/// Checks the partial sum that a region sends as its update.
struct RegionCheck: Sendable {
    let plan: AdapterPlan
    let settings: FederationSettings
    let round: Int
    let name: ClientName
    let region: Capabilities.Region
    /// What all its clients together say that they trained on.
    let samples: Int

    /// Between the region's name and a client's in the region's list.
    static let separator = "/"

    /// Reads the file; blocks.
    func finding(fileAt path: String) throws(ServiceError) -> UpdateCheck.Finding {
        do {
            let sum = try PartialSumFile(path: path, hasList: true)
            let expected = try plan.partialPlan(of: settings.id, round: round)
            if case .differs(let key, let one, let other) = sum.plan.difference(from: expected) {
                throw UpdateRefusal(
                    code: "update.region",
                    detail: "the sum's \(key) is \(other); this round of the federation has \(one)")
            }
            guard sum.clients.count <= region.clients else {
                throw UpdateRefusal(
                    code: "update.clients",
                    detail: "the sum has \(sum.clients.count) clients; \(name) registered for at most \(region.clients)"
                )
            }
            try sum.list.forEach { try check($0) }
            let covered = try sum.checkBounds(samples: samples, mostUpdates: settings.limits.clients)
            var ranks: [String: Int] = [:]
            for module in plan.shape.modules {
                // Experts of one module may be covered differently.
                ranks[module.owner] = min(ranks[module.owner] ?? .max, covered[module.name] ?? 0)
            }
            return UpdateCheck.Finding(
                rank: min(plan.maximumRank, ranks.values.max() ?? 0), ranks: ranks, norm: nil, factorSizes: nil,
                adopting: [:])
        } catch let refusal as UpdateRefusal {
            throw .update(refusal)
        } catch let error as PartialSumError {
            throw .update(UpdateRefusal(error))
        } catch {
            throw .internalFailure("a region's sum could not be read: \(error)")
        }
    }

    /// Checks that a client of the list is this region's, so that no client is in two sums.
    private func check(_ entry: PartialClients.Entry) throws(UpdateRefusal) {
        let prefix = name.rawValue + Self.separator
        guard entry.client.hasPrefix(prefix), ClientName(rawValue: String(entry.client.dropFirst(prefix.count))) != nil
        else {
            throw UpdateRefusal(
                code: "update.clients",
                detail: "the list has \(entry.client); expected \(prefix) and a client's name")
        }
    }
}

extension UpdateRefusal {
    /// The stable code for the reason why a partial sum is refused.
    init(_ error: PartialSumError) {
        let code =
            switch error {
            case .file: "update.format"
            case .noTensor: "update.missing"
            case .unknownTensor: "update.unknown"
            case .shape: "update.shape"
            case .range: "update.range"
            case .clients, .overlap: "update.clients"
            case .noKey, .unknownKey, .value, .plan, .noParts, .differs, .system: "update.region"
            case .plane, .negativeWeight, .risingWeight, .sumWithoutWeight, .biasWeight, .weight: "update.sum"
            }
        self.init(code: code, detail: "\(error)")
    }
}

extension AdapterPlan {
    /// What all partial sums of a round share.
    func partialPlan(of federation: FederationID, round: Int) throws(StrategyError) -> PartialPlan {
        try PartialPlan(
            federation: federation.rawValue, round: round, strategy: strategy, scaling: scaling,
            shape: strategy.publishedShape(of: shape, round: round))
    }
}

extension FederationSession {
    /// The largest allowed length of a client's update, in bytes: an adapter, or a region's partial sum.
    func updateByteLimit(round: Int, of client: ClientName) throws(ServiceError) -> Int {
        guard let region = snapshot.machine.clients[client]?.capabilities.region else {
            return try updateByteLimit(round: round)
        }
        let plan = try plan()
        do throws(StrategyError) {
            // A name of this region, the separator, and a client's name.
            return try plan.partialPlan(of: id, round: round).longestFile(clients: region.clients, nameBytes: 129)
        } catch {
            throw .internalFailure("regions of \(id): \(error)")
        }
    }
}
