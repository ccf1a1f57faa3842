import AdapterFormat
import Aggregation
package import Federation
import Foundation

/// Tells a client what to do in the current round.
package struct PlanService: Sendable {
    let runtime: FederationRuntime
    let clock: any WallClock

    /// The instructions for `client`. The API adds the paths.
    package struct Plan: Sendable {
        package let federation: FederationID
        package let client: ClientName
        package let state: FederationState
        package let round: RoundMachine?
        package let revision: Int64
        package let isSelected: Bool
        package let hasAnswered: Bool
        /// Whether the server lost the client's update in this round.
        package let isLost: Bool
        package let rank: Int
        package let ranks: [String: Int]
        package let scales: [String: Double]
        /// The round whose adapter training starts from.
        package let adapterRound: Int
        /// Whether the client must cut that adapter further than the adapter's own round did.
        package let isCutFurther: Bool
        /// Whether the client must first add the rounds' merges to its base.
        package let hasMerge: Bool
        package let demand: Demand
        /// The bits of each number in a message, where the client can read quantised messages.
        package let messageBits: Int?
        /// The seed of this client's randomness in this round.
        package let seed: UInt64
        /// The seed of values that every client's model draws anew, all alike.
        package let federationSeed: UInt64
        /// The shapes of the tensors beside the factors.
        package let dense: [String: [Int]]
        /// A JSON object, as in the settings.
        package let training: String
    }

    /// What the federation's strategy asks of its clients in a round.
    package struct Demand: Sendable {
        /// "A", "B" or both.
        package let factors: [String]
        /// Whether the adapter to start from is new and contains nothing of the round before.
        package let isFresh: Bool
        /// μ of the penalty μ·‖B·A‖² in the clients' loss.
        package let penalty: Double
        package let drawn: Drawn?
        package let pruning: Pruning?
        package let sparse: Sparse?
    }

    /// A factor A that is drawn and not trained.
    package struct Drawn: Sendable {
        package let round: Int
        package let seed: UInt64
    }

    /// The parameters of pruning rank components during training.
    package struct Pruning: Sendable {
        package let gamma: Double
        package let penalty: Double
        package let minimumRank: Int
    }

    /// Training of full weights under a mask.
    package struct Sparse: Sendable {
        package let density: Double
        package let seed: UInt64
    }

    /// The present instructions for `client`.
    package func plan(for client: ClientName, in federation: FederationID) throws(ServiceError) -> Plan {
        let session = try called(by: client, in: federation)
        return try plan(for: client, from: session.snapshot.machine, as: session.plan())
    }

    /// The plan of the first step in which it is newer than `revision`; nil after `seconds`.
    package func news(
        for client: ClientName, in federation: FederationID, after revision: Int64, waiting seconds: Double
    ) async throws(ServiceError) -> FederationSnapshot? {
        let session = try called(by: client, in: federation)
        let deadline = clock.now().adding(seconds: seconds)
        let news = await session.plan(of: client, after: revision, until: deadline)
        session.touch(client)
        return news
    }

    /// The instructions for `client` as of `snapshot`.
    package func plan(
        for client: ClientName, in federation: FederationID, at snapshot: FederationSnapshot
    ) throws(ServiceError) -> Plan {
        try plan(for: client, from: snapshot.machine, as: runtime.session(federation).plan())
    }

    /// The session, after the client's call is noted.
    private func called(by client: ClientName, in federation: FederationID) throws(ServiceError) -> FederationSession {
        let session = try runtime.activeSession(of: federation, for: client)
        session.touch(client)
        return session
    }

    private func isLost(_ client: ClientName, in machine: FederationMachine) -> Bool {
        guard case .lost = machine.round?.updates[client]?.status else { return false }
        return true
    }

    private func plan(
        for client: ClientName, from machine: FederationMachine, as plan: AdapterPlan
    ) throws(ServiceError) -> Plan {
        guard let known = machine.clients[client] else { throw .unknownClient(client) }
        guard known.revokedAt == nil else { throw .revoked(client) }
        let settings = machine.settings
        let number = machine.round?.number ?? 0
        let published = machine.publishedRound
        // Before round 1 opens, the plan already describes round 1.
        let trained = max(1, number)
        let ranks = plan.ranks(for: known.rank, round: trained)
        let place = machine.round?.participations[client]
        return Plan(
            federation: settings.id, client: client, state: machine.state, round: machine.round,
            revision: machine.planRevision(of: client),
            isSelected: place?.isSelected ?? (settings.policy.buffer != nil),
            hasAnswered: place?.state == .answered, isLost: isLost(client, in: machine), rank: known.rank, ranks: ranks,
            scales: settings.adapter.scales(atRanks: ranks), adapterRound: published,
            isCutFurther: plan.ranks(for: known.rank, round: published) != ranks,
            hasMerge: plan.strategy.publishesMerge && published > 0,
            demand: Demand(
                plan.strategy.demand(in: trained, after: min(published, trained - 1)), after: published,
                seed: settings.seed, isTemplated: settings.adapter.template != nil),
            messageBits: settings.adapter.messageBits.flatMap {
                known.capabilities.messageBits.contains($0) ? $0 : nil
            },
            seed: HashedSampler.clientSeed(seed: settings.seed, round: number, client: client),
            federationSeed: settings.seed, dense: settings.adapter.dense.mapValues(\.shape),
            training: settings.training)
    }
}

extension PlanService.Demand {
    /// - Parameter published: the round whose adapter training starts from. Later rounds may have failed.
    init(_ demand: ClientDemand, after published: Int, seed: UInt64, isTemplated: Bool) {
        factors = [(FactorSet.a, "A"), (.b, "B")].filter { demand.factors.contains($0.0) }.map(\.1)
        isFresh = demand.isFresh
        penalty = demand.penalty
        // A template's factors are not drawn, because they come with the adapter.
        drawn = demand.drawnRound.map { PlanService.Drawn(round: min($0, published), seed: seed) }
            .flatMap { $0.round == 0 && isTemplated ? nil : $0 }
        pruning = demand.pruning.map {
            PlanService.Pruning(gamma: $0.gamma, penalty: $0.penalty, minimumRank: $0.minimumRank)
        }
        sparse = demand.sparse.map { PlanService.Sparse(density: $0.density, seed: seed) }
    }
}
