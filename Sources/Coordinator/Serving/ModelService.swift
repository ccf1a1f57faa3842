import AdapterFormat
import Aggregation
package import Federation
import Synchronization

/// Serves merges, and whole models, which are all merges plus the adapter.
package struct ModelService: Sendable {
    let runtime: FederationRuntime
    let rounds: RoundService
    let adapters: any AdapterStore
    let cache: AdapterCache
    let lanes: ModelLanes

    /// The highest rank that a caller may ask for, the same as any adapter's.
    private static let highestRank = 65_536

    /// The sum of the merges of the rounds (since, round] at scale 1, as a file.
    ///
    /// - Parameter since: nil for the merge of that round alone; 0 for the sum from the first round.
    package func merge(
        round: Int, since: Int?, elementType: String?, of federation: FederationID, for caller: RenderingCaller? = nil
    ) async throws(ServiceError) -> AdapterCache.File {
        let session = try runtime.session(federation)
        let plan = try session.plan()
        guard plan.strategy.publishesMerge else { throw .noMerge(strategy: plan.strategy.name) }
        let type = try plan.type(named: elementType)
        let number = try await rounds.published(round, of: session.snapshot.machine)
        if let since, since >= number { throw .sinceOutOfRange(found: since, round: number) }
        guard number > 0 else { throw .noMerge(strategy: plan.strategy.name) }
        let first = since ?? number - 1
        try Self.check(since: first, through: number, folded: session.mergesFoldedThrough.load(ordering: .relaxed))
        let key = AdapterCache.Key(
            federation: federation, content: .merge(since: first, through: number), type: type)
        return try await cache.file(key, for: caller, on: lanes.merging) { descriptor, interruption in
            let terms = try merges(of: federation, since: first, through: number)
            return try Self.write(
                StoredSum(terms: terms, scaling: nil, dense: nil), shape: plan.mergeShape, limits: [:], type: type,
                to: descriptor, unless: interruption)
        }
    }

    /// All merges up to a round plus its adapter as one adapter in the federation's scaling, as a file.
    ///
    /// - Parameters:
    ///   - round: 0 is the initial adapter; nil the newest.
    ///   - rank: the highest rank, which may be any; nil for all components.
    package func file(
        round: Int?, rank: Int?, elementType: String?, of federation: FederationID, for caller: RenderingCaller? = nil
    ) async throws(ServiceError) -> AdapterCache.File {
        let session = try runtime.session(federation)
        let plan = try session.plan()
        if let rank, !(1...Self.highestRank).contains(rank) {
            throw .rankOutOfRange(found: rank, limit: Self.highestRank)
        }
        let machine = session.snapshot.machine
        let type = try plan.type(named: elementType)
        let number = try await rounds.published(round, of: machine)
        // A rank that limits no module has the same effect as no rank.
        let limits = rank.map { plan.modelRanks(for: $0) }.flatMap { plan.limits($0) ? $0 : nil }
        let needsMerges = plan.strategy.publishesMerge && number > 0
        if needsMerges {
            try Self.check(since: 0, through: number, folded: session.mergesFoldedThrough.load(ordering: .relaxed))
        }
        let key = AdapterCache.Key(
            federation: federation, content: .model(round: number, rank: limits == nil ? nil : rank), type: type)
        return try await cache.file(key, for: caller, on: lanes.modelling) { descriptor, interruption in
            try RoundService.rendering(adapterOfRound: number, of: federation, in: adapters) {
                let adapter = StoredAdapter(.adapter, of: federation, round: number, in: adapters)
                var terms: [StoredSum.Term] = []
                if needsMerges { terms = try merges(of: federation, since: 0, through: number) }
                let isSparse = plan.storedShape(ofRound: number).modules.isEmpty
                terms.append(
                    isSparse
                        ? .sparse(adapter, plan.strategy, seed: machine.settings.seed)
                        : .adapter(adapter, plan.scaling))
                return try Self.write(
                    StoredSum(terms: terms, scaling: plan.scaling, dense: adapter), shape: plan.shape,
                    limits: limits ?? [:], type: type, to: descriptor, unless: interruption)
            }
        }
    }

    /// The `adapter_config.json` of a model.
    package func configuration(
        round: Int?, rank: Int?, of federation: FederationID, for caller: RenderingCaller? = nil
    ) async throws(ServiceError) -> String {
        let session = try runtime.session(federation)
        let file = try await file(round: round, rank: rank, elementType: nil, of: federation, for: caller)
        let plan = try session.plan()
        return AdapterConfig(
            shape: plan.shape, ranks: file.ranks, scaling: plan.scaling,
            baseModel: session.snapshot.machine.settings.baseModel.name,
            carried: session.snapshot.machine.settings.adapter.config
        ).json
    }

    /// The stored merges of the rounds (since, through]. Read them on the queue that sums them.
    private func merges(
        of federation: FederationID, since: Int, through round: Int
    ) throws -> [StoredSum.Term] {
        let record = try adapters.merges(of: federation)
        let folded = record.foldedThrough
        try Self.check(since: since, through: round, folded: folded)
        let total = since < folded ? [StoredAdapter(.mergeTotal, of: federation, round: folded, in: adapters)] : []
        let single = record.published.filter { $0 > since && $0 <= round }
            .map { StoredAdapter(.merge, of: federation, round: $0, in: adapters) }
        return (total + single).map { .merge($0) }
    }

    /// Throws where the merges of (since, through] are folded together with earlier ones.
    private static func check(since: Int, through: Int, folded: Int) throws(ServiceError) {
        guard through >= folded, since == 0 || since >= folded else { throw .mergeCompacted(through: folded) }
    }

    private static func write(
        _ sum: StoredSum, shape: AdapterShape, limits: [String: Int], type: ScalarType, to descriptor: Int32,
        unless interruption: Interruption
    ) throws -> [String: Int] {
        let shape = try shape.withDense { try sum.values(of: $0) != nil }
        var ranks: [String: Int] = [:]
        for module in shape.modules { ranks[module.owner] = try sum.rank(of: module, limit: limits[module.owner]) }
        let writer = try AdapterWriter(shape: shape, ranks: ranks, type: type, descriptor: descriptor)
        try writer.take(InterruptibleSource(source: sum, interruption: interruption))
        return ranks
    }
}
