package import Federation

/// Answers how rounds stand.
package struct RoundService: Sendable {
    let parts: Parts

    /// A round at a revision: the current one, or one of the past.
    package struct Seen: Sendable {
        package let machine: FederationMachine
        package let round: RoundMachine
    }

    /// The federation's last stored step, which holds its current round.
    package func current(of federation: FederationID) throws(ServiceError) -> FederationSnapshot {
        try parts.registry.session(federation).snapshot
    }

    /// The first snapshot above `revision`; `nil` after `seconds`.
    package func current(
        of federation: FederationID, after revision: Int64, waiting seconds: Double
    ) async throws(ServiceError) -> FederationSnapshot? {
        let session = try parts.registry.session(federation)
        return await session.snapshot(after: revision, until: parts.clock.now().adding(seconds: seconds))
    }

    package func round(_ number: Int, of federation: FederationID) async throws(ServiceError) -> Seen {
        let machine = try parts.registry.session(federation).snapshot.machine
        if let current = machine.round, current.number == number { return Seen(machine: machine, round: current) }
        do throws(StoreError) {
            if let past = try await parts.store.round(number, of: federation) {
                return Seen(machine: machine, round: past)
            }
        } catch {
            throw .store(error)
        }
        throw .unknownRound(number, current: machine.round?.number ?? 0)
    }

    /// Takes a client out of a round in which it will send nothing, so that nobody waits for it.
    package func decline(
        _ number: Int, of federation: FederationID, by client: ClientName, reason: String
    ) async throws(ServiceError) {
        let session = try parts.activeSession(of: federation, for: client)
        session.touch(client)
        switch try await session.reply(to: .decline(client, round: number, reason: reason)) {
        case .done: return
        case .round(let error): throw .round(error)
        default: throw .internalFailure("a declined round was answered with something else")
        }
    }

    /// Takes a client that has ended out of the present round and of those to come, until it calls again.
    package func leave(
        _ federation: FederationID, by client: ClientName, reason: String
    ) async throws(ServiceError) {
        let session = try parts.activeSession(of: federation, for: client)
        session.leave(client)
        switch try await session.reply(to: .leave(client, reason: reason)) {
        case .done: return
        case .round(let error): throw .round(error)
        default: throw .internalFailure("a client that left was answered with something else")
        }
    }

    /// Rounds below `before`, newest first.
    package func rounds(
        before: Int, limit: Int, of federation: FederationID
    ) async throws(ServiceError) -> (machine: FederationMachine, rounds: [ListedRound]) {
        let machine = try parts.registry.session(federation).snapshot.machine
        do throws(StoreError) {
            return (machine, try await parts.store.rounds(before: before, limit: limit, of: federation))
        } catch {
            throw .store(error)
        }
    }
}
