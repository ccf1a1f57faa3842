import AdapterFormat
package import Federation

/// Hands out published adapters, cut to a rank.
package struct AdapterService: Sendable {
    let parts: Parts

    /// The adapter that a round published, or the newest one, as a file.
    ///
    /// - Parameters:
    ///   - round: 0 is the initial adapter; nil the newest.
    ///   - rank: 1 to the federation's maximum, which it defaults to.
    ///   - elementType: F32, F16 or BF16; defaults to the federation's.
    package func file(
        round: Int?, rank: Int?, elementType: String?, of federation: FederationID
    ) async throws(ServiceError) -> AdapterCache.File {
        let machine = try parts.registry.session(federation).snapshot.machine
        let plan = try parts.plan(of: machine.settings)
        let number = try await published(round, of: machine)
        let key = AdapterCache.Key(
            federation: federation, round: number, rank: try checked(rank, plan),
            type: try elementType.map { text throws(ServiceError) in try Self.type(text) } ?? plan.shape.type)
        return try await parts.cache.file(key, from: parts.stored(.adapter, of: federation, round: number), as: plan)
    }

    /// The `adapter_config.json` beside it, under which PEFT computes with the federation's scales.
    package func configuration(
        round: Int?, rank: Int?, of federation: FederationID
    ) async throws(ServiceError) -> String {
        let machine = try parts.registry.session(federation).snapshot.machine
        let plan = try parts.plan(of: machine.settings)
        _ = try await published(round, of: machine)
        return AdapterConfig(
            shape: plan.shape, ranks: plan.ranks(for: try checked(rank, plan)), scaling: plan.scaling,
            baseModel: machine.settings.baseModel.name
        ).json
    }

    /// The round whose adapter is meant, which must have published one.
    private func published(_ round: Int?, of machine: FederationMachine) async throws(ServiceError) -> Int {
        guard let round else { return machine.publishedRound }
        if round == 0 || round == machine.publishedRound { return round }
        let seen = try await RoundService(parts: parts).round(round, of: machine.settings.id)
        guard case .published = seen.round.phase else { throw .noAdapter(round: round) }
        return round
    }

    private func checked(_ rank: Int?, _ plan: AdapterPlan) throws(ServiceError) -> Int {
        guard let rank else { return plan.maximumRank }
        guard (1...plan.maximumRank).contains(rank) else { throw .rankOutOfRange(found: rank, limit: plan.maximumRank) }
        return rank
    }

    private static func type(_ text: String) throws(ServiceError) -> ScalarType {
        guard let type = ScalarType(rawValue: text), type.isPublishable else { throw .unknownElementType(text) }
        return type
    }
}
