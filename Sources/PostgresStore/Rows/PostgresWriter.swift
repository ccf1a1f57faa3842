import Federation
import Foundation
import StoredRows

/// Collects the statements that write a federation's changes, and sends them together.
struct PostgresWriter {
    let connection: PostgresConnection
    /// `federations.key`
    let key: Int64
    /// The revision of the federation after the step.
    let step: Int64
    /// The federation before the step.
    let basis: FederationMachine
    private(set) var counters: Counters
    /// The object that holds a new update's bytes.
    private let object: (ContentDigest) throws -> ObjectPlace?
    private var pending: [Pending] = []
    /// The batch of `pending` in which the rows of each table gather.
    private var open: [String: RowBatch] = [:]

    /// What is to be sent, in order.
    private enum Pending {
        case statement(PostgresStatement)
        case rows(RowBatch)
    }

    /// The last numbers of a federation's rows, which its own row has.
    struct Counters {
        var eventSequence: Int64
        var chain: EventChain
        var clientNumber: Int
        var refusalNumber: Int

        /// - Parameter row: the federation's own row.
        init(_ row: PostgresRow, of federation: FederationID) throws {
            eventSequence = try row.value("event_seq")
            clientNumber = try row.value("client_number")
            refusalNumber = try row.value("refusal_number")
            let head: Data? = try row.optional("event_head")
            chain = head == nil ? try EventChain(of: federation) : EventChain(after: try row.digest("event_head"))
        }
    }

    init(
        _ basis: FederationMachine, step: Int64, key: Int64, counters: Counters, on connection: PostgresConnection,
        object: @escaping (ContentDigest) throws -> ObjectPlace?
    ) {
        self.connection = connection
        self.key = key
        self.step = step
        self.basis = basis
        self.counters = counters
        self.object = object
    }

    mutating func store(_ change: Change) throws {
        switch change {
        case .settings(let settings):
            add(
                "UPDATE federations SET settings = $2, settings_step = $3 WHERE key = $1",
                try storedJSON(settings), step)
        case .client(let client): store(client)
        case .clientChanges(let client, let count): store(count, changesOf: client)
        case .clientChangesCounted:
            add("UPDATE clients SET changes = 0 WHERE federation = $1 AND changes > 0")
        case .round(let round): try store(round)
        case .participations(let participations, let round): store(participations, round: round)
        case .place(let client, let round, let place): store([client: place], round: round)
        case .update(let update, let round): try insert(update, round: round)
        case .status(let update, let round): store(update.status, of: update.client, round: round)
        case .releaseUpdates(let round, let reason): releaseUpdates(of: round, leftOutFor: reason)
        case .refusal(let refusal, let round): store(refusal, round: round)
        case .evaluation(let evaluation): try store(evaluation)
        case .evaluationPlaces(let places, let round): try store(places, ofEvaluation: round)
        case .token(let token): store(token)
        case .tokenWithdrawn(let id):
            add("UPDATE tokens SET is_withdrawn = true, step = $3 WHERE federation = $1 AND id = $2", id, step)
        case .list(let list): try store(list)
        case .event(let event): try insert(event)
        }
    }

    /// All rows of a federation that is new in this database.
    mutating func storeAll(_ machine: FederationMachine) throws {
        for token in machine.tokens.values { store(token) }
        for client in machine.clients.values { store(client) }
        for (client, count) in machine.clientChanges { store(count, changesOf: client) }
        if let round = machine.round {
            try store(round)
            store(round.participations, round: round.number)
            for update in round.updates.values { try insert(update, round: round.number) }
            for refusal in round.refusals { store(refusal, round: round.number) }
            for decision in round.decisions { try insert(decision) }
        }
        if let evaluation = machine.evaluation {
            try store(evaluation)
            try store(evaluation.places, ofEvaluation: evaluation.round)
        }
        addCounters()
    }

    /// Moves the federation's own row to `machine`, and notes the step.
    ///
    /// - Parameter nonce: a number that tells this step from every other one.
    mutating func finish(_ machine: FederationMachine, nonce: Int64) {
        add(
            """
            UPDATE federations SET state = $2, round = $3, published_round = $4, revision = $5, plan_revision = $6,
              event_seq = $7, event_head = $8, client_number = $9, refusal_number = $10
            WHERE key = $1
            """,
            machine.state.rawValue, machine.round?.number, machine.publishedRound, machine.revision,
            machine.planRevision, counters.eventSequence, counters.chain.head, counters.clientNumber,
            counters.refusalNumber)
        add("INSERT INTO steps (federation, revision, nonce) VALUES ($1, $2, $3)", machine.revision, nonce)
        add("DELETE FROM steps WHERE federation = $1 AND revision < $2", machine.revision - 1000)
    }

    private mutating func addCounters() {
        add(
            """
            UPDATE federations SET event_seq = $2, event_head = $3, client_number = $4, refusal_number = $5 WHERE key = $1
            """, counters.eventSequence, counters.chain.head, counters.clientNumber, counters.refusalNumber)
    }

    /// Adds a statement whose first parameter is the federation.
    mutating func add(_ sql: String, _ parameters: any PostgresParameter...) {
        pending.append(.statement(PostgresStatement(sql, [key] + parameters)))
    }

    /// Adds a row to those that one statement writes.
    ///
    /// - Parameter name: what tells the row from others of the table.
    mutating func add(to table: RowTable, _ name: String, _ values: any PostgresParameter...) {
        if open[table.sql]?.add(values, key: name) == true { return }
        let batch = RowBatch(table)
        _ = batch.add(values, key: name)
        open[table.sql] = batch
        pending.append(.rows(batch))
    }

    /// Rows of the table that come later must be written after what was collected so far.
    private mutating func close(_ table: RowTable) { open[table.sql] = nil }

    /// Sends what was collected, and `last` after it.
    mutating func send(_ last: [PostgresStatement] = []) throws {
        guard !pending.isEmpty || !last.isEmpty else { return }
        let statements = pending.map { item in
            switch item {
            case .statement(let statement): statement
            case .rows(let batch): batch.statement(of: key)
            }
        }
        try connection.run(statements + last)
        (pending, open) = ([], [:])
    }
}

extension PostgresWriter {
    private mutating func store(_ token: IssuedToken) {
        add(
            """
            INSERT INTO tokens (federation, id, role, hash, created_at, expires_at, uses_left, step)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            ON CONFLICT (federation, id) DO UPDATE SET uses_left = excluded.uses_left, step = excluded.step
            """,
            token.id, token.role.rawValue, token.hash, token.createdAt, token.expiresAt, token.usesLeft, step)
    }

    /// A new client gets the next number; a known one keeps its own.
    private mutating func store(_ client: Client) {
        var number: Int?
        if basis.clients[client.name] == nil || basis.revision == step {
            counters.clientNumber += 1
            number = counters.clientNumber
        }
        add(
            to: .clients, client.name.rawValue, client.name, client.rank, client.token, client.capabilities.text,
            client.registeredAt, client.lastSeenAt,
            client.revokedAt, client.leftByItself, number, step)
    }

    private mutating func store(_ count: Int, changesOf client: ClientName) {
        add("UPDATE clients SET changes = $3 WHERE federation = $1 AND name = $2", client, count)
    }

    /// Stores the round's own columns. A round that waits to be aggregated makes its job necessary again.
    private mutating func store(_ round: RoundMachine) throws {
        let columns = PhaseColumns(round.phase)
        add(
            """
            INSERT INTO rounds
              (federation, number, phase, opened_at, deadline, closed_at, minimum_updates, target_updates,
               minimum_coverage, has_reopened, failed_for, adapter_digest, adapter_bytes, adapter_ranks,
               adapter_has_merge, summary, step)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
            ON CONFLICT (federation, number) DO UPDATE SET phase = excluded.phase, deadline = excluded.deadline,
              closed_at = excluded.closed_at, target_updates = excluded.target_updates,
              has_reopened = excluded.has_reopened, failed_for = excluded.failed_for,
              adapter_digest = excluded.adapter_digest, adapter_bytes = excluded.adapter_bytes,
              adapter_ranks = excluded.adapter_ranks, adapter_has_merge = excluded.adapter_has_merge,
              summary = excluded.summary, step = excluded.step
            """,
            round.number, columns.name.rawValue, round.openedAt, round.deadline, round.closedAt, round.minimumUpdates,
            round.targetUpdates, round.minimumCoverage, round.hasReopened, columns.failedFor, columns.adapter?.digest,
            columns.adapter?.byteCount, try columns.adapter.map { try storedJSON($0.ranks) },
            columns.adapter?.hasMerge ?? false,
            try round.hasEnded ? storedJSON(RoundSummary(round, of: basis.settings.adapter)) : nil, step)
        // Also where the step that spent the job's lease reopens the round, and it closes again at once.
        if columns.name == .aggregating {
            add(
                """
                UPDATE jobs SET is_done = false, expires_at = 0
                WHERE federation = $1 AND kind = 'aggregation' AND round = $2 AND is_done
                """, round.number)
        } else if basis.round?.number == round.number, basis.round?.phase == .aggregating {
            releaseParts(of: round.number)
        }
    }

    /// Deletes what is shared of a round, in the order in which workers lock these rows.
    private mutating func releaseParts(of round: Int) {
        for statement in Self.releaseParts { add(statement, round) }
    }

    /// The statements that end the sharing of a round: `$1` is the federation, `$2` the round.
    static let releaseParts = [
        "DELETE FROM jobs WHERE federation = $1 AND kind = 'part' AND round = $2",
        """
        INSERT INTO garbage (object, since) SELECT object, now_ms() FROM round_parts
        WHERE federation = $1 AND round = $2 AND object IS NOT NULL ON CONFLICT DO NOTHING
        """,
        "DELETE FROM round_parts WHERE federation = $1 AND round = $2",
    ]

    private mutating func store(_ participations: ClientTable<RoundMachine.Participation>, round: Int) {
        for (client, place) in participations {
            add(
                to: .participations, "\(round)/\(client)", round, client, place.state.rawValue, place.revision,
                place.rank, step)
        }
    }

    /// Replaces the row of a lost update where its client sends another one.
    private mutating func insert(_ update: Update, round: Int) throws {
        let status = StatusColumns(update.status)
        if basis.round?.updates[update.client] != nil {
            close(.updates)
            discardObjects("client = $3", round, update.client)
        }
        let place = try object(update.digest)
        add(
            to: .updates, "\(round)/\(update.client)", round, update.client, update.digest, update.byteCount,
            update.rank, update.samples, update.metrics.loss,
            update.metrics.accuracy, update.receivedAt, try update.ranks.map { try storedJSON($0) }, update.norm,
            update.factorSizes?.data, update.began, status.leftOutFor, status.isLost, status.isTakenBack,
            place?.key, place?.position, step)
    }

    private mutating func store(_ status: Update.Status, of client: ClientName, round: Int) {
        let columns = StatusColumns(status)
        close(.updates)
        if !status.isHeld { discardObjects("client = $3", round, client) }
        add(
            """
            UPDATE updates SET left_out_for = $4, is_lost = $5, is_taken_back = $6,
              object = CASE WHEN $7 THEN object END, step = $8
            WHERE federation = $1 AND round = $2 AND client = $3
            """, round, client, columns.leftOutFor, columns.isLost, columns.isTakenBack, status.isHeld, step)
    }

    private mutating func releaseUpdates(of round: Int, leftOutFor reason: String?) {
        close(.updates)
        discardObjects("true", round)
        add(
            """
            UPDATE updates SET object = NULL, factor_sizes = NULL, left_out_for = coalesce(left_out_for, $3), step = $4
            WHERE federation = $1 AND round = $2
            """, round, reason, step)
        let staleness = basis.settings.policy.buffer?.maximumStaleness ?? 0
        add("DELETE FROM configurations WHERE federation = $1 AND round <= $2", round - staleness)
    }

    /// Notes objects that their rows are about to lose; a later sweep deletes them.
    private mutating func discardObjects(_ condition: String, _ parameters: any PostgresParameter...) {
        let sql = """
            INSERT INTO garbage (object, since) SELECT object, now_ms() FROM updates
            WHERE federation = $1 AND round = $2 AND object IS NOT NULL AND \(condition) ON CONFLICT DO NOTHING
            """
        pending.append(.statement(PostgresStatement(sql, [key] + parameters)))
    }

    private mutating func store(_ refusal: Refusal, round: Int) {
        counters.refusalNumber += 1
        add(
            """
            INSERT INTO refusals (federation, round, client, code, at, detail, count, number, step)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
            ON CONFLICT (federation, round, client, code) DO UPDATE SET at = excluded.at, detail = excluded.detail,
              count = excluded.count, number = excluded.number, step = excluded.step
            """,
            round, refusal.client, refusal.code, refusal.at, refusal.detail, refusal.count, counters.refusalNumber, step
        )
    }

    private mutating func store(_ list: ClientList) throws {
        // The list may name clients of this step.
        try send()
        let known = try connection.run(
            "SELECT 1 AS one FROM client_lists WHERE federation = $1 AND digest = $2", [key, list.digest])
        guard known.first == nil else { return }
        let rows = try connection.run(
            """
            SELECT number FROM unnest($2::text[]) WITH ORDINALITY AS listed (name, position)
            LEFT JOIN clients ON clients.federation = $1 AND clients.name = listed.name ORDER BY position
            """, [key, PostgresArray(list.clients)]
        ).rows
        let stored = try StoredClientList(list, numbers: try rows.map { try $0.optional("number") })
        add(
            "INSERT INTO client_lists (federation, digest, runs, client_values) VALUES ($1, $2, $3, $4)", list.digest,
            stored.runs, stored.valueBytes)
    }

    /// Appends to the federation's hash chain.
    private mutating func insert(_ event: AuditEvent) throws {
        counters.eventSequence += 1
        let hash = try counters.chain.append(event)
        add(
            to: .events, "\(counters.eventSequence)", counters.eventSequence, event.at, event.kind, event.round,
            event.client, event.detail, hash)
    }
}
