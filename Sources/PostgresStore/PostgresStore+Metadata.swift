package import Federation
import StoredRows

extension PostgresStore: MetadataStore {
    package func federations() async throws(StoreError) -> StoredFederations {
        try await read { connection in
            let found = try PostgresReader.federations(on: connection)
            for one in found.sound { self.timelines.noteRead(one.machine.settings.id, on: connection.timeline) }
            return found
        }
    }

    package func federation(_ federation: FederationID) async throws(StoreError) -> StoredFederation? {
        try await read { connection in
            let found = try PostgresReader.federation(federation, on: connection)
            if found != nil { self.timelines.noteRead(federation, on: connection.timeline) }
            return found
        }
    }

    package func create(_ federation: StoredFederation) async throws(StoreError) {
        let machine = federation.machine
        try await transact { connection in
            let id = machine.settings.id
            try Self.requireFree(id, connection)
            let row = try connection.run(
                """
                INSERT INTO federations
                  (id, settings, settings_step, state, round, published_round, revision, plan_revision, created_at)
                VALUES ($1, $2, $3, $4, $5, $6, $3, $7, $8) RETURNING *
                """,
                [
                    id, try storedJSON(machine.settings), machine.revision, machine.state.rawValue,
                    machine.round?.number, machine.publishedRound, machine.planRevision, federation.createdAt,
                ]
            ).first
            guard let row else { throw StoreError.failed("\(id) was not stored") }
            var writer = PostgresWriter(
                machine, step: machine.revision, key: try row.value("key"), counters: try .init(row, of: id),
                on: connection, object: { _ in nil })
            try writer.storeAll(machine)
            try writer.send([PostgresFollower.notification(of: id, revision: machine.revision)])
        }
        follower.note(StoredStep(federation: machine.settings.id, revision: machine.revision))
    }

    /// Throws `.exists` where a federation has this name, or a deleted one keeps it. Nobody else can take the name until
    /// the transaction ends.
    static func requireFree(_ id: FederationID, _ connection: PostgresConnection) throws {
        try connection.run("SELECT pg_advisory_xact_lock(hashtextextended($1, 7295063602))", [id])
        let taken = try connection.run(
            """
            SELECT 1 AS one FROM federations WHERE id = $1
            UNION ALL SELECT 1 FROM departed WHERE id = $1 AND NOT is_released LIMIT 1
            """, [id])
        guard taken.first == nil else { throw StoreError.exists }
    }

    package func round(_ number: Int, of federation: FederationID) async throws(StoreError) -> RoundMachine? {
        try await read { try PostgresReader(federation, on: $0)?.round(number) }
    }

    package func update(
        of client: ClientName, round: Int, in federation: FederationID
    ) async throws(StoreError) -> HeldUpdate? {
        try await read { try PostgresReader(federation, on: $0)?.update(of: client, round: round) }
    }

    package func rounds(
        before: Int, limit: Int, of federation: FederationID
    ) async throws(StoreError) -> [ListedRound] {
        try await read { try PostgresReader(federation, on: $0)?.rounds(before: before, limit: limit) ?? [] }
    }

    package func evaluation(
        ofRound round: Int, of federation: FederationID
    ) async throws(StoreError) -> EvaluationRound? {
        try await read { try PostgresReader(federation, on: $0)?.evaluation(ofRound: round) }
    }

    package func evaluations(
        ofRounds rounds: ClosedRange<Int>, of federation: FederationID
    ) async throws(StoreError) -> [ListedEvaluation] {
        try await read { try PostgresReader(federation, on: $0)?.evaluations(ofRounds: rounds) ?? [] }
    }

    package func events(
        after id: Int64, limit: Int, of federation: FederationID
    ) async throws(StoreError) -> [StoredEvent] {
        try await read { try PostgresReader(federation, on: $0)?.events(after: id, limit: limit) ?? [] }
    }

    package func events(
        before id: Int64, limit: Int, of federation: FederationID
    ) async throws(StoreError) -> [StoredEvent] {
        try await read { try PostgresReader(federation, on: $0)?.events(before: id, limit: limit) ?? [] }
    }

    package func rounds(
        knowing client: ClientName, before: Int, limit: Int, of federation: FederationID
    ) async throws(StoreError) -> [ClientRound] {
        try await read {
            try PostgresReader(federation, on: $0)?.rounds(knowing: client, before: before, limit: limit) ?? []
        }
    }

    package func list(_ digest: ContentDigest, of federation: FederationID) async throws(StoreError) -> ClientList? {
        try await read { try PostgresReader(federation, on: $0)?.list(digest) }
    }

    /// Writes to the database, and checks what the operator promised of standbys. A bucket that is away keeps updates
    /// from being taken; plans, polls and cached downloads go on, so the server is ready.
    package func probe() async throws(StoreError) {
        try await transact { connection in
            try self.requireDurability(on: connection)
            try connection.run(
                "INSERT INTO probes (id, count) VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET count = probes.count + 1")
        }
    }

    package func discard(_ federation: FederationID) async throws(StoreError) {
        try await transact { connection in
            guard let reader = try PostgresReader(federation, on: connection) else { return }
            try Self.erase(reader.key, connection)
            _ = try connection.run([PostgresFollower.notificationOfEnd(of: federation)])
        }
        timelines.forget(federation)
        follower.note(StoredStep(federation: federation, revision: 0, kind: .gone))
    }

    package func delete(
        _ federation: FederationID, releasing: Bool, at now: Timestamp
    ) async throws(StoreError) -> DepartedFederation {
        let departed = try await transact { connection in
            let row = try connection.run(
                "SELECT * FROM federations WHERE id = $1 FOR UPDATE", [federation]
            ).first
            guard let row else { throw StoreError.failed("there is no federation \(federation)") }
            let counters = try PostgresWriter.Counters(row, of: federation)
            let departed = DepartedFederation(
                id: federation, head: counters.chain.head, events: Int(counters.eventSequence), isReleased: releasing)
            try connection.run(
                "INSERT INTO departed (id, head, events, at, is_released) VALUES ($1, $2, $3, $4, $5)",
                [federation, departed.head, departed.events, now, releasing])
            try Self.erase(try row.value("key"), connection)
            _ = try connection.run([PostgresFollower.notificationOfEnd(of: federation)])
            return departed
        }
        forgetPresence(of: federation)
        timelines.forget(federation)
        follower.note(StoredStep(federation: federation, revision: 0, kind: .gone))
        try await sweepBlobs()
        return departed
    }

    /// Deletes a federation's rows, and notes its objects for the sweep.
    private static func erase(_ key: Int64, _ connection: PostgresConnection) throws {
        for table in ["updates", "templates", "adapter_parts", "segments", "round_parts"] {
            try connection.run(
                """
                INSERT INTO garbage (object, since) SELECT DISTINCT object, now_ms() FROM \(table)
                WHERE federation = $1 AND object IS NOT NULL ON CONFLICT DO NOTHING
                """, [key])
        }
        try connection.run("DELETE FROM seen WHERE federation = $1", [key])
        try connection.run("DELETE FROM federations WHERE key = $1", [key])
    }
}
