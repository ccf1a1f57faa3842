import AdapterFormat
import Aggregation
import Federation

/// Checks a client's file and extracts what the server records.
struct UpdateCheck: Sendable {
    let plan: AdapterPlan
    let settings: FederationSettings
    /// The round whose plan the client followed.
    let round: Int
    /// What the client says that it trained on.
    let samples: Int
    /// The highest client rank that the file may have.
    let clientRank: Int
    /// The last published round.
    let last: Int
    /// The adapter from which the client's round continued.
    let previous: StoredAdapter
    let initial: StoredAdapter
    private let configuration: ConfigurationCheck
    /// The text of the client's `adapter_config.json`, if it sent one.
    private let configurationText: String?

    /// The values that the server records of a valid file.
    struct Finding: Sendable {
        /// The client rank of the file.
        let rank: Int
        /// The ranks of its modules, where they do not follow from `rank`.
        let ranks: [String: Int]?
        /// Measured where the federation's limits need it.
        let norm: Double?
        /// Measured where the federation's limits need it.
        let factorSizes: FactorSizes?
        /// The keys of the client's configuration that will travel with the adapter.
        let adopting: [String: String]
    }

    init(
        _ claim: UpdateService.Claim, configuration: String?, clientRank: Int, at snapshot: FederationSnapshot,
        as plan: AdapterPlan, adapters: any AdapterStore
    ) {
        let machine = snapshot.machine
        self.plan = plan
        self.configuration = ConfigurationCheck(client: claim.client, round: claim.round, at: snapshot, as: plan)
        configurationText = configuration
        self.clientRank = clientRank
        settings = machine.settings
        round = claim.round
        samples = claim.samples
        last = machine.publishedRound
        previous = StoredAdapter(.adapter, of: settings.id, round: last, in: adapters)
        initial = StoredAdapter(.adapter, of: settings.id, round: 0, in: adapters)
    }

    /// Reads the file; blocks.
    ///
    /// - Parameter squares: the known sums of squares of its factors, where every number was checked before.
    func finding(fileAt path: String, squares: [String: Double]?) throws(ServiceError) -> Finding {
        do {
            let granted = plan.ranks(for: clientRank, round: round)
            let file = try plan.open(path, round: round, after: last)
            try plan.validate(
                file, granted: granted, round: round, after: last, numbersAreSound: squares != nil)
            try checkRange(of: file)
            var adopting: [String: String] = [:]
            if let configurationText {
                adopting = try configuration.adopted(from: configurationText, file: file)
            } else {
                try configuration.requireMeaning(of: file)
            }
            let norm = try norm(of: file)
            let sizes = sizes(of: file, knowing: squares ?? [:])
            if file.modules.allSatisfy({ granted[$0.owner] == $0.rank }) {
                return Finding(rank: clientRank, ranks: nil, norm: norm, factorSizes: sizes, adopting: adopting)
            }
            return Finding(
                rank: min(clientRank, file.modules.map(\.rank).max() ?? clientRank), ranks: file.ranks, norm: norm,
                factorSizes: sizes, adopting: adopting)
        } catch let refusal as UpdateRefusal {
            throw .update(refusal)
        } catch let error as StoreError {
            throw .store(error)
        } catch {
            throw .internalFailure("an update could not be measured: \(error)")
        }
    }

    /// The sizes of the factors that the round asks for, with B at the scale of its module's maximum rank.
    private func sizes(of file: AdapterFile, knowing squares: [String: Double]) -> FactorSizes? {
        guard settings.limits.factorOverMedian != nil else { return nil }
        let asked = plan.strategy.demand(in: round).factors
        let (sizes, ranks) = (file.factorSizes(knowing: squares), file.ranks)
        let values = settings.adapter.modulePaths.flatMap { path -> [Float] in
            guard let found = sizes[path], let rank = ranks[path] else { return [0, 0] }
            let ratio = plan.ratio(ofModule: path, fromRank: rank)
            // A size beyond the range of Float is far above any median.
            return [
                asked.contains(.a) ? Float(found.a) : 0,
                asked.contains(.b) ? min(Float(found.b * ratio), .greatestFiniteMagnitude) : 0,
            ]
        }
        return FactorSizes(values: values)
    }

    /// A round has at most one update of each client, and `limits.max_clients` never changes.
    private func checkRange(of file: AdapterFile) throws(UpdateRefusal) {
        do throws(ExactRangeError) {
            try plan.strategy.checkRange(
                of: file, samples: samples, shape: plan.shape, scaling: plan.scaling, round: round,
                mostUpdates: settings.upstream?.mostUpdates ?? settings.limits.clients)
        } catch {
            throw UpdateRefusal(code: "update.range", detail: "\(error)", tensor: error.tensor)
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
