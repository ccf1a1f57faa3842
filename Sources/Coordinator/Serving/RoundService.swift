package import Federation

/// Reports the state of rounds, and takes clients out of them.
package struct RoundService: Sendable {
    private let runtime: FederationRuntime
    private let metadata: any MetadataStore
    private let adapters: any AdapterStore
    private let cache: AdapterCache
    private let clock: any WallClock
    private let reading = BlockingQueue(label: "rounds", concurrent: true)

    init(
        runtime: FederationRuntime, metadata: any MetadataStore, adapters: any AdapterStore, cache: AdapterCache,
        clock: any WallClock
    ) {
        self.runtime = runtime
        self.metadata = metadata
        self.adapters = adapters
        self.cache = cache
        self.clock = clock
    }

    /// A current or past round with the federation at one revision.
    package struct Seen: Sendable {
        package let machine: FederationMachine
        package let round: RoundMachine
        /// nil where the round was not evaluated.
        package var evaluation: ListedEvaluation?
    }

    /// The snapshot of the last stored step, which holds the current round.
    package func current(of federation: FederationID) throws(ServiceError) -> FederationSnapshot {
        try runtime.session(federation).snapshot
    }

    /// The first snapshot above `revision`; `nil` after `seconds`.
    package func current(
        of federation: FederationID, after revision: Int64, waiting seconds: Double
    ) async throws(ServiceError) -> FederationSnapshot? {
        let session = try runtime.session(federation)
        return await session.snapshot(after: revision, until: clock.now().adding(seconds: seconds))
    }

    /// A round of any time; throws where there is none with this number.
    package func round(_ number: Int, of federation: FederationID) async throws(ServiceError) -> Seen {
        let machine = try runtime.session(federation).snapshot.machine
        if let current = machine.round, current.number == number {
            return Seen(machine: machine, round: current, evaluation: machine.evaluation(ofRound: number))
        }
        do throws(StoreError) {
            if let past = try await metadata.round(number, of: federation) {
                let evaluations = try await evaluations(of: [past.number], in: machine)
                return Seen(machine: machine, round: past, evaluation: evaluations[number])
            }
        } catch {
            throw .store(error)
        }
        throw .unknownRound(number, current: machine.round?.number ?? 0)
    }

    /// A client's update of a round, as long as it is held; nil where there is none, also where there is no such round.
    ///
    /// Of another round than the current one only this update is read, since a round may have very many.
    package func update(
        of client: ClientName, round: Int, in federation: FederationID
    ) async throws(ServiceError) -> HeldUpdate? {
        let machine = try runtime.session(federation).snapshot.machine
        if let current = machine.round, current.number == round { return current.heldUpdate(of: client) }
        do throws(StoreError) {
            return try await metadata.update(of: client, round: round, in: federation)
        } catch {
            throw .store(error)
        }
    }

    /// Takes a client out of a round to which it will send nothing, so that the round does not wait for it.
    package func decline(
        _ number: Int, of federation: FederationID, by client: ClientName, reason: String
    ) async throws(ServiceError) {
        let session = try runtime.activeSession(of: federation, for: client)
        session.touch(client)
        try await session.reply(to: .decline(client, round: number, reason: reason))
    }

    /// Takes a client that has ended out of the present round and later ones, until it calls again.
    package func leave(
        _ federation: FederationID, by client: ClientName, reason: String
    ) async throws(ServiceError) {
        let session = try runtime.activeSession(of: federation, for: client)
        session.leave(client)
        try await session.reply(to: .leave(client, reason: reason))
    }

    /// Rounds below `before`, newest first.
    package func rounds(
        before: Int, limit: Int, of federation: FederationID
    ) async throws(ServiceError) -> (
        machine: FederationMachine, rounds: [ListedRound], evaluations: [Int: ListedEvaluation]
    ) {
        let machine = try runtime.session(federation).snapshot.machine
        do throws(StoreError) {
            let rounds = try await metadata.rounds(before: before, limit: limit, of: federation)
            return (machine, rounds, try await evaluations(of: rounds.map(\.round.number), in: machine))
        } catch {
            throw .store(error)
        }
    }

    /// The evaluations of these rounds; the newest one as the federation has it now.
    private func evaluations(
        of rounds: [Int], in machine: FederationMachine
    ) async throws(StoreError) -> [Int: ListedEvaluation] {
        guard machine.evaluation != nil, let first = rounds.min(), let last = rounds.max() else { return [:] }
        let stored = try await metadata.evaluations(ofRounds: first...last, of: machine.settings.id)
        var found = Dictionary(stored.map { ($0.round, $0) }) { _, last in last }
        if let newest = machine.evaluation, (first...last).contains(newest.round) {
            found[newest.round] = ListedEvaluation(newest)
        }
        return found
    }

    /// What the rounds below `before` know of a client, newest first.
    package func rounds(
        knowing client: ClientName, before: Int, limit: Int, of federation: FederationID
    ) async throws(ServiceError) -> (machine: FederationMachine, rounds: [ClientRound]) {
        let machine = try runtime.session(federation).snapshot.machine
        guard machine.clients[client] != nil else { throw .unknownClient(client) }
        do throws(StoreError) {
            return (
                machine,
                try await metadata.rounds(knowing: client, before: before, limit: limit, of: federation)
            )
        } catch {
            throw .store(error)
        }
    }

    /// The round whose adapter is asked for; it must have published one. nil means the newest.
    func published(_ round: Int?, of machine: FederationMachine) async throws(ServiceError) -> Int {
        guard let round else { return machine.publishedRound }
        if round == 0 || round == machine.publishedRound { return round }
        let id = machine.settings.id
        let seen = try await self.round(round, of: id)
        guard case .published = seen.round.phase else { throw .noAdapter(round: round) }
        // The store knows, and not this server's copies: another server may have dropped it, under other settings.
        do throws(ServiceError) {
            try await reading.run { () throws(ServiceError) in
                try Self.requireAdapter(ofRound: round, of: id, in: adapters)
            }
        } catch {
            if case .adapterDropped = error { cache.forget(id, rounds: [round]) }
            throw error
        }
        return round
    }

    /// Renders a file of a round's adapter. If another server drops the adapter meanwhile, what is missing may read as
    /// nothing: the result is thrown away. It blocks the caller.
    static func rendering<Value>(
        adapterOfRound round: Int, of federation: FederationID, in adapters: any AdapterStore,
        _ render: () throws -> Value
    ) throws -> Value {
        let result = Result { try render() }
        try requireAdapter(ofRound: round, of: federation, in: adapters)
        return try result.get()
    }

    /// Throws where the adapter that a round published has been dropped. It blocks the caller.
    private static func requireAdapter(
        ofRound round: Int, of federation: FederationID, in adapters: any AdapterStore
    ) throws(ServiceError) {
        let kept: [Int]
        do throws(StoreError) {
            let address = AdapterAddress(federation: federation, round: round, slot: .adapter)
            if try adapters.hasContent(at: address) { return }
            kept = try adapters.rounds(of: .adapter, in: federation)
        } catch {
            throw .store(error)
        }
        throw .adapterDropped(round: round, kept: kept)
    }
}
