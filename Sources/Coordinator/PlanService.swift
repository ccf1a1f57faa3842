package import Federation

/// Tells a client what to do in the current round.
package struct PlanService: Sendable {
    let parts: Parts

    /// What `client` should do; the API gives the paths.
    package struct Plan: Sendable {
        package let federation: FederationID
        package let client: ClientName
        package let state: FederationState
        package let round: RoundMachine?
        package let revision: Int64
        package let isSelected: Bool
        package let hasAnswered: Bool
        package let rank: Int
        package let ranks: [String: Int]
        package let scales: [String: Double]
        /// The round whose adapter training starts from.
        package let adapterRound: Int
        /// Draws this client's randomness in this round.
        package let seed: UInt64
        /// A JSON object, as the settings have it.
        package let training: String
    }

    package func plan(for client: ClientName, in federation: FederationID) throws(ServiceError) -> Plan {
        let session = try called(by: client, in: federation)
        return try plan(for: client, from: session.snapshot.machine)
    }

    /// The first plan above `revision`; `nil` after `seconds`.
    package func plan(
        for client: ClientName, in federation: FederationID, after revision: Int64, waiting seconds: Double
    ) async throws(ServiceError) -> Plan? {
        let session = try called(by: client, in: federation)
        let deadline = parts.clock.now().adding(seconds: seconds)
        let news = await session.plan(of: client, after: revision, until: deadline)
        session.touch(client)
        guard let snapshot = news else { return nil }
        return try plan(for: client, from: snapshot.machine)
    }

    /// The session, once the client's call is noted.
    private func called(by client: ClientName, in federation: FederationID) throws(ServiceError) -> FederationSession {
        let session = try parts.activeSession(of: federation, for: client)
        session.touch(client)
        return session
    }

    private func plan(for client: ClientName, from machine: FederationMachine) throws(ServiceError) -> Plan {
        guard let known = machine.clients[client] else { throw .unknownClient(client) }
        guard known.revokedAt == nil else { throw .revoked(client) }
        let adapter = machine.settings.adapter
        let ranks = adapter.ranks(forClientRank: known.rank)
        let place = machine.round?.places[client]
        let number = machine.round?.number ?? 0
        return Plan(
            federation: machine.settings.id, client: client, state: machine.state, round: machine.round,
            revision: machine.planRevision(of: client), isSelected: place.map { $0.state != .left } ?? false,
            hasAnswered: place?.state == .answered, rank: known.rank, ranks: ranks,
            scales: adapter.scales(atRanks: ranks), adapterRound: machine.publishedRound,
            seed: HashedSampler.hash(seed: machine.settings.seed, round: number, client: client) >> 11,
            training: machine.settings.training)
    }
}
