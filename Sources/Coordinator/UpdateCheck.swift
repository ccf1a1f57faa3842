import AdapterFormat
import Aggregation
import Federation

/// Whether a client's file is sound, and what of it goes on record.
struct UpdateCheck: Sendable {
    let plan: AdapterPlan
    let settings: FederationSettings
    /// The round whose plan the client followed.
    let round: Int
    /// The highest client rank that the file may have.
    let clientRank: Int
    /// The last published round.
    let last: Int
    /// What the client's round went on from.
    let previous: StoredAdapter
    let initial: StoredAdapter
    private let configuration: ConfigurationCheck
    /// The text of the client's `adapter_config.json`, where it sent one.
    private let configurationText: String?

    /// What the server writes down of a sound file.
    struct Finding: Sendable {
        /// The client rank that it stands for.
        let rank: Int
        /// The ranks of its modules where they do not follow from that.
        let ranks: [String: Int]?
        /// Where the federation's limits need it.
        let norm: Double?
        /// The keys of the client's configuration that are to travel with the adapter.
        let adopting: [String: String]
    }

    init(
        _ claim: UpdateService.Claim, configuration: String?, clientRank: Int, at snapshot: FederationSnapshot,
        as plan: AdapterPlan, parts: Parts
    ) {
        let machine = snapshot.machine
        self.plan = plan
        self.configuration = ConfigurationCheck(client: claim.client, round: claim.round, at: snapshot, as: plan)
        configurationText = configuration
        self.clientRank = clientRank
        settings = machine.settings
        round = claim.round
        last = machine.publishedRound
        previous = parts.stored(.adapter, of: settings.id, round: last)
        initial = parts.stored(.adapter, of: settings.id, round: 0)
    }

    /// Reads the file; blocks.
    ///
    /// - Parameter numbersAreSound: whether every number was looked at before.
    func finding(fileAt path: String, numbersAreSound: Bool) throws(ServiceError) -> Finding {
        do {
            let granted = plan.ranks(for: clientRank, round: round)
            let file = try plan.open(path, round: round, after: last)
            try plan.validate(
                file, granted: granted, round: round, after: last, numbersAreSound: numbersAreSound)
            var adopting: [String: String] = [:]
            if let configurationText {
                adopting = try configuration.adopted(from: configurationText, file: file)
            } else {
                try configuration.requireMeaning(of: file)
            }
            let norm = try norm(of: file)
            if file.modules.allSatisfy({ granted[$0.owner] == $0.rank }) {
                return Finding(rank: clientRank, ranks: nil, norm: norm, adopting: adopting)
            }
            return Finding(
                rank: min(clientRank, file.modules.map(\.rank).max() ?? clientRank), ranks: file.ranks, norm: norm,
                adopting: adopting)
        } catch let refusal as UpdateRefusal {
            throw .update(refusal)
        } catch let error as StoreError {
            throw .store(error)
        } catch {
            throw .internalFailure("an update could not be measured: \(error)")
        }
    }

    private func norm(of file: AdapterFile) throws -> Double? {
        guard settings.limits.needNorms else { return nil }
        let norm = try plan.strategy.norm(
            of: file, shape: plan.shape, scaling: plan.scaling, round: round,
            after: EarlierRound(round: last, previous: previous, initial: initial))
        if let limit = settings.limits.norm, norm > limit {
            throw UpdateRefusal(
                code: "update.norm", detail: "the update's norm is \(norm); this federation takes at most \(limit)")
        }
        return norm
    }
}
