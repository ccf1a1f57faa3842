import Coordinator
import Federation

/// The way of an update through a server, as `UpdateService` takes it. Its checks of files are left out: they run on
/// threads of their own. A client that the copy does not know is looked for in the store.
struct UpdateCall: Sendable {
    /// What the client is told.
    enum Answer: Sendable, Hashable {
        case received
        case refused(RoundError)
        /// The server does not know the client.
        case unknown
        /// The client asks again.
        case later
    }

    let update: Update
    let round: Int
    let server: Server
    let world: World

    func answer(in session: FederationSession) async -> Answer? {
        let wasHeld = isHeld
        let answer: Answer
        do throws(StoreError) { answer = try await take(in: session) } catch {
            world.scheduler.note(server.name, "answers \(update.client) with an error: \(error)")
            return nil
        }
        if case .refused(let error) = answer, wasHeld, isHeld {
            world.store.ledger.report(
                .storedIsReceived, "\(server.name) refuses \(update.client), round \(round): \(error)")
        }
        world.scheduler.note(server.name, "answers the update of \(update.client) for round \(round): \(answer)")
        return answer
    }

    /// Whether the store has this update at this moment.
    private var isHeld: Bool {
        world.store.rows.rounds.values.contains { $0.held(of: update.client)?.digest == update.digest }
    }

    private func take(in session: FederationSession) async throws(StoreError) -> Answer {
        if session.snapshot.machine.clients[update.client] == nil {
            try await refresh(session)
            if session.snapshot.machine.clients[update.client] == nil { return .unknown }
        }
        session.touch(update.client)
        if try await held(in: session) != nil, let answer = try await confirm(in: session) { return answer }
        if session.snapshot.machine.objection(to: update.client, round: round) != nil {
            try await refresh(session)
            if let objection = session.snapshot.machine.objection(to: update.client, round: round) {
                return try await confirm(in: session) ?? .refused(objection)
            }
        }
        switch try await session.perform(.update(update, round: round)) {
        case .success: return .received
        case .failure(.configuration): return .later
        case .failure(.round(.busy)): return .later
        case .failure(.round(let error)):
            if case .updateExists = error {} else if world.mutant == .forgottenUpdate { return .refused(error) }
            return try await confirm(in: session) ?? .refused(error)
        }
    }

    /// Reads what is stored, before the server refuses anything because of its copy.
    private func refresh(_ session: FederationSession) async throws(StoreError) {
        if world.mutant != .staleRefusal { try await session.refresh() }
    }

    /// The answer where the client's update for the round is held; nil where none is.
    private func confirm(in session: FederationSession) async throws(StoreError) -> Answer? {
        if try await held(in: session)?.digest == update.digest { return .received }
        try await refresh(session)
        guard let held = try await held(in: session) else { return nil }
        return held.digest == update.digest ? .received : .refused(.updateExists(round: round))
    }

    /// The client's update for the round, in the session's copy or in the store.
    private func held(in session: FederationSession) async throws(StoreError) -> Update? {
        let machine = session.snapshot.machine
        var numbers = round...round
        if let buffer = machine.settings.policy.buffer, let current = machine.round?.number, round <= current {
            numbers = round...min(current, round + buffer.maximumStaleness)
        }
        for number in numbers {
            let found =
                machine.round?.number == number
                ? machine.round : try await server.connection.round(number, of: session.id)
            if let held = found?.held(of: update.client), (held.began ?? number) == round { return held }
        }
        return nil
    }
}
