import Federation
import Foundation
import GRDB
import StoredRows

/// Writes the rows of one federation within one transaction.
struct FederationWriter {
    let database: Database
    let federation: FederationID
    /// `federations.key`
    let key: Int64
    /// The largest age, in rounds, of an update that counts in a round.
    let staleness: Int
    let adapter: FederationSettings.Adapter

    /// Throws `.exists` where a federation has this name, or a deleted one keeps it.
    static func requireFree(_ id: FederationID, in database: Database) throws {
        let isTaken = try Bool.fetchOne(
            database,
            sql: """
                SELECT EXISTS (SELECT 1 FROM main.federations WHERE id = ?1)
                  OR EXISTS (SELECT 1 FROM main.departed WHERE id = ?1 AND is_released = 0)
                """, arguments: [id.rawValue])
        if isTaken == true { throw StoreError.exists }
    }

    /// Inserts a federation with all the data of its machine; throws `.exists` where the name is taken.
    static func insert(_ federation: StoredFederation, into database: Database) throws {
        let machine = federation.machine
        try requireFree(machine.settings.id, in: database)
        let key = try Int64.fetchOne(
            database,
            sql: """
                INSERT INTO federations
                  (id, settings, state, round, published_round, revision, plan_revision, created_at)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING RETURNING key
                """,
            arguments: [
                machine.settings.id.rawValue, storedJSON(machine.settings), machine.state.rawValue,
                machine.round?.number,
                machine.publishedRound, machine.revision, machine.planRevision, federation.createdAt.milliseconds,
            ])
        guard let key else { throw StoreError.exists }
        let writer = FederationWriter(machine.settings, key: key, database: database)
        for token in machine.tokens.values { try writer.store(token) }
        for client in machine.clients.values { try writer.store(client) }
        for (client, count) in machine.clientChanges { try writer.store(count, changesOf: client) }
        if let round = machine.round {
            try writer.store(round)
            try writer.store(round.participations, round: round.number)
            for update in round.updates.values { try writer.insert(update, round: round.number, holdsBlob: false) }
            for refusal in round.refusals { try writer.store(refusal, round: round.number) }
            for decision in round.decisions { try writer.insert(decision) }
        }
        if let evaluation = machine.evaluation {
            try writer.store(evaluation)
            try writer.store(evaluation.places, ofEvaluation: evaluation.round)
        }
    }

    /// Updates a federation's own row to `machine`, which must be one revision ahead.
    init(moving machine: FederationMachine, in database: Database) throws {
        let statement = try database.cachedStatement(
            sql: """
                UPDATE federations
                SET state = ?, round = ?, published_round = ?, revision = ?, plan_revision = ?
                WHERE id = ? AND revision = ? RETURNING key
                """)
        let key = try Int64.fetchOne(
            statement,
            arguments: [
                machine.state.rawValue, machine.round?.number, machine.publishedRound, machine.revision,
                machine.planRevision, machine.settings.id.rawValue, machine.revision - 1,
            ])
        guard let key else {
            throw StoreError.failed("\(machine.settings.id) is not at revision \(machine.revision - 1)")
        }
        self.init(machine.settings, key: key, database: database)
    }

    init(_ settings: FederationSettings, key: Int64, database: Database) {
        self.database = database
        federation = settings.id
        self.key = key
        staleness = settings.policy.buffer?.maximumStaleness ?? 0
        adapter = settings.adapter
    }

    func store(_ change: Change) throws {
        switch change {
        case .settings(let settings):
            try execute("UPDATE federations SET settings = ? WHERE key = ?", [storedJSON(settings), key])
        case .client(let client): try store(client)
        case .clientChanges(let client, let count): try store(count, changesOf: client)
        case .clientChangesCounted:
            try execute("UPDATE clients SET changes = 0 WHERE federation = ? AND changes > 0", [key])
        case .round(let round): try store(round)
        case .participations(let participations, let round): try store(participations, round: round)
        case .place(let client, let round, let place): try store([client: place], round: round)
        case .update(let update, let round): try insert(update, round: round, holdsBlob: true)
        case .status(let update, let round): try store(update.status, of: update.client, round: round)
        case .releaseUpdates(let round, let reason): try releaseUpdates(of: round, leftOutFor: reason)
        case .refusal(let refusal, let round): try store(refusal, round: round)
        case .evaluation(let evaluation): try store(evaluation)
        case .evaluationPlaces(let places, let round): try store(places, ofEvaluation: round)
        case .token(let token): try store(token)
        case .tokenWithdrawn(let id): try execute("DELETE FROM tokens WHERE federation = ? AND id = ?", [key, id])
        case .list(let list): try store(list)
        case .event(let event): try insert(event)
        }
    }
}

extension FederationWriter {
    func execute(_ sql: String, _ arguments: StatementArguments) throws {
        try database.cachedStatement(sql: sql).execute(arguments: arguments)
    }

    private func store(_ token: IssuedToken) throws {
        try execute(
            """
            INSERT INTO tokens (federation, id, role, hash, created_at, expires_at, uses_left)
            VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET uses_left = excluded.uses_left
            """,
            [
                key, token.id, token.role.rawValue, token.hash.data, token.createdAt.milliseconds,
                token.expiresAt?.milliseconds, token.usesLeft,
            ])
    }

    private func store(_ client: Client) throws {
        try execute(
            """
            INSERT INTO clients
              (federation, name, rank, token, capabilities, registered_at, last_seen_at, revoked_at, left_by_itself,
               number)
            VALUES (?1, ?, ?, ?, ?, ?, ?, ?, ?, 1 + coalesce((SELECT MAX(number) FROM clients WHERE federation = ?1), 0))
            ON CONFLICT DO UPDATE SET rank = excluded.rank, capabilities = excluded.capabilities,
              last_seen_at = excluded.last_seen_at, revoked_at = excluded.revoked_at,
              left_by_itself = excluded.left_by_itself
            """,
            [
                key, client.name.rawValue, client.rank, client.token.data, client.capabilities.text,
                client.registeredAt.milliseconds, client.lastSeenAt.milliseconds, client.revokedAt?.milliseconds,
                client.leftByItself,
            ])
    }

    private func store(_ count: Int, changesOf client: ClientName) throws {
        try execute(
            "UPDATE clients SET changes = ? WHERE federation = ? AND name = ?", [count, key, client.rawValue])
    }

    /// Stores the round's own columns.
    private func store(_ round: RoundMachine) throws {
        let columns = PhaseColumns(round.phase)
        try execute(
            """
            INSERT INTO rounds
              (federation, number, phase, opened_at, deadline, closed_at, minimum_updates, target_updates,
               minimum_coverage, has_reopened, failed_for, adapter_digest, adapter_bytes, adapter_ranks,
               adapter_has_merge, summary)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT DO UPDATE SET phase = excluded.phase, deadline = excluded.deadline,
              closed_at = excluded.closed_at, target_updates = excluded.target_updates,
              has_reopened = excluded.has_reopened, failed_for = excluded.failed_for,
              adapter_digest = excluded.adapter_digest, adapter_bytes = excluded.adapter_bytes,
              adapter_ranks = excluded.adapter_ranks, adapter_has_merge = excluded.adapter_has_merge,
              summary = excluded.summary
            """,
            [
                key, round.number, columns.name.rawValue, round.openedAt.milliseconds, round.deadline.milliseconds,
                round.closedAt?.milliseconds, round.minimumUpdates, round.targetUpdates, round.minimumCoverage,
                round.hasReopened, columns.failedFor,
                columns.adapter?.digest.data, columns.adapter?.byteCount,
                columns.adapter.map { try storedJSON($0.ranks) }, columns.adapter?.hasMerge ?? false,
                try round.hasEnded ? storedJSON(RoundSummary(round, of: adapter)) : nil,
            ])
    }

    private func store(_ participations: ClientTable<RoundMachine.Participation>, round: Int) throws {
        for (client, place) in participations {
            try execute(
                """
                INSERT INTO participations (federation, round, client, state, revision, rank) VALUES (?, ?, ?, ?, ?, ?)
                ON CONFLICT DO UPDATE SET state = excluded.state, revision = excluded.revision, rank = excluded.rank
                """,
                [key, round, client.rawValue, place.state.rawValue, place.revision, place.rank])
        }
    }

    /// Replaces the row of a lost update where its client sends another one.
    private func insert(_ update: Update, round: Int, holdsBlob: Bool) throws {
        let status = StatusColumns(update.status)
        try execute(
            """
            INSERT OR REPLACE INTO updates
              (federation, round, client, digest, bytes, rank, samples, loss, accuracy, received_at, ranks, norm,
               factor_sizes, began, left_out_for, is_lost, is_taken_back, holds_blob)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                key, round, update.client.rawValue, update.digest.data, update.byteCount, update.rank, update.samples,
                update.metrics.loss, update.metrics.accuracy, update.receivedAt.milliseconds,
                try update.ranks.map { try storedJSON($0) }, update.norm, update.factorSizes?.data,
                update.began, status.leftOutFor, status.isLost, status.isTakenBack, holdsBlob,
            ])
    }

    private func store(_ status: Update.Status, of client: ClientName, round: Int) throws {
        let columns = StatusColumns(status)
        try execute(
            """
            UPDATE updates
            SET left_out_for = ?, is_lost = ?, is_taken_back = ?, holds_blob = holds_blob AND ?
            WHERE federation = ? AND round = ? AND client = ?
            """,
            [
                columns.leftOutFor, columns.isLost, columns.isTakenBack, status.isHeld, key, round, client.rawValue,
            ])
    }

    private func releaseUpdates(of round: Int, leftOutFor reason: String?) throws {
        try execute(
            """
            UPDATE updates SET holds_blob = 0, factor_sizes = NULL, left_out_for = coalesce(left_out_for, ?)
            WHERE federation = ? AND round = ?
            """,
            [reason, key, round])
        try execute("DELETE FROM configurations WHERE federation = ? AND round <= ?", [key, round - staleness])
    }

    private func store(_ refusal: Refusal, round: Int) throws {
        try execute(
            """
            INSERT OR REPLACE INTO refusals (federation, round, client, at, code, detail, count)
            VALUES (?, ?, ?, ?, ?, ?, ?)
            """,
            [
                key, round, refusal.client.rawValue, refusal.at.milliseconds, refusal.code, refusal.detail,
                refusal.count,
            ])
    }

    private func store(_ list: ClientList) throws {
        let known = try database.cachedStatement(
            sql: "SELECT EXISTS (SELECT 1 FROM client_lists WHERE federation = ? AND digest = ?)")
        if try Bool.fetchOne(known, arguments: [key, list.digest.data]) == true { return }
        let stored = try StoredClientList(list, numbers: try numbers(of: list.clients))
        try execute(
            "INSERT INTO client_lists (federation, digest, runs, client_values) VALUES (?, ?, ?, ?)",
            [key, list.digest.data, stored.runs, stored.valueBytes])
    }

    /// The numbers of clients in ascending order of name. So many are not looked up one by one: the table is in the
    /// same order.
    private func numbers(of clients: [ClientName]) throws -> [Int?] {
        guard clients.count >= 20_000 else {
            let statement = try database.cachedStatement(
                sql: "SELECT number FROM clients WHERE federation = ? AND name = ?")
            return try clients.map { try Int.fetchOne(statement, arguments: [key, $0.rawValue]) }
        }
        let statement = try database.cachedStatement(
            sql: "SELECT name, number FROM clients WHERE federation = ? ORDER BY name")
        let rows = try Row.fetchCursor(statement, arguments: [key])
        var known = try rows.next().map { row -> (name: String, number: Int?) in (row[0], row[1]) }
        return try clients.map { client in
            while let next = known, next.name < client.rawValue {
                known = try rows.next().map { row in (row[0], row[1]) }
            }
            return known?.name == client.rawValue ? known?.number : nil
        }
    }

    /// Appends to the federation's hash chain, which ends with the last row.
    private func insert(_ event: AuditEvent) throws {
        let last = try database.cachedStatement(
            sql: "SELECT hash FROM events WHERE federation = ? ORDER BY id DESC LIMIT 1")
        var chain: EventChain
        if let row = try Row.fetchOne(last, arguments: [key]) {
            chain = EventChain(after: try row.digest("hash"))
        } else {
            chain = try EventChain(of: federation)
        }
        let hash = try chain.append(event)
        try execute(
            "INSERT INTO events (federation, at, kind, round, client, detail, hash) VALUES (?, ?, ?, ?, ?, ?, ?)",
            [key, event.at.milliseconds, event.kind, event.round, event.client?.rawValue, event.detail, hash.data])
    }
}
