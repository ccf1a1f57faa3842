package import Federation

/// Tells a client what to do in the current round.
package struct PlanService: Sendable {
    let runtime: FederationRuntime
    let clock: any WallClock
    /// The number of servers among which clients are spread.
    let serverCount: @Sendable () -> Int

    /// The present instructions for `client`.
    package func plan(for client: ClientName, in federation: FederationID) throws(ServiceError) -> ClientPlan {
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
    ) throws(ServiceError) -> ClientPlan {
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
    ) throws(ServiceError) -> ClientPlan {
        guard let known = machine.clients[client] else { throw .unknownClient(client) }
        guard known.revokedAt == nil else { throw .revoked(client) }
        let settings = machine.settings
        let place = machine.round?.participations[client]
        var result = ClientPlan(
            for: client, rank: known.rank, round: machine.round?.number ?? 0, after: machine.publishedRound, settings,
            plan)
        result.messageBits = settings.adapter.messageBits.flatMap {
            known.capabilities.messageBits.contains($0) ? $0 : nil
        }
        result.state = machine.state
        result.phase = machine.round?.phase
        result.deadline = machine.round?.deadline
        result.revision = machine.planRevision(of: client)
        result.isSelected = place?.isSelected ?? (settings.policy.buffer != nil)
        result.hasAnswered = place?.state == .answered
        result.isLost = isLost(client, in: machine)
        result.evaluation = machine.evaluation.flatMap { $0.awaits(client) ? $0 : nil }
        if !result.isAwaited, result.evaluation == nil, machine.state != .finished {
            result.comeBackSeconds = pace(of: result, in: machine)
        }
        return result
    }

    /// Pace steering (Bonawitz et al., 2019, arXiv 1902.01046): clients that have nothing to do come back spread over
    /// time, each after its own half to whole of the policy's time.
    private func pace(of plan: ClientPlan, in machine: FederationMachine) -> Double? {
        machine.settings.policy.comeBackSeconds(clients: machine.clients.tally.active, servers: serverCount()).map {
            ($0 * (0.5 + Double(plan.seed % 1024) / 2048)).rounded()
        }
    }
}
