import Crypto
import Federation
import Foundation
import StoredRows

/// Reads the rows of one federation within a transaction.
struct PostgresReader {
    let connection: PostgresConnection
    /// `federations.key`
    let key: Int64

    /// nil where there is no such federation.
    init?(_ id: FederationID, on connection: PostgresConnection) throws {
        guard let row = try connection.run("SELECT key FROM federations WHERE id = $1", [id]).first else { return nil }
        self.init(connection: connection, key: try row.value("key"))
    }

    init(connection: PostgresConnection, key: Int64) {
        self.connection = connection
        self.key = key
    }

    /// All federations, in order of creation.
    static func federations(on connection: PostgresConnection) throws -> StoredFederations {
        var found = StoredFederations()
        for row in try connection.run("SELECT * FROM federations WHERE left(id, 1) <> '~' ORDER BY key").rows {
            let reader = PostgresReader(connection: connection, key: try row.value("key"))
            do {
                found.sound.append(try reader.federation(row))
            } catch let error as StoreError {
                found.unreadable.append(
                    UnreadableFederation(
                        id: try row.text("id"), reason: "\(error)", tokens: (try? reader.tokens()) ?? [],
                        clients: (try? reader.clients()).map { Array($0.values) } ?? []))
            }
        }
        return found
    }

    /// One federation; nil where there is none of this name.
    static func federation(_ id: FederationID, on connection: PostgresConnection) throws -> StoredFederation? {
        guard let row = try connection.run("SELECT * FROM federations WHERE id = $1", [id]).first else { return nil }
        return try PostgresReader(connection: connection, key: try row.value("key")).federation(row)
    }

    /// - Parameter row: the federation's own row, with all columns.
    func federation(_ row: PostgresRow) throws -> StoredFederation {
        let number: Int? = try row.optional("round")
        let machine = FederationMachine(
            settings: try row.json("settings"), state: try row.text("state"), clients: try clients(),
            round: try number.flatMap { try round($0) }, publishedRound: try row.value("published_round"),
            revision: try row.value("revision"), planRevision: try row.value("plan_revision"), tokens: try tokens(),
            clientChanges: try Self.clientChanges(try connection.run([clientChangesStatement])[0]),
            evaluation: try newestEvaluation())
        return StoredFederation(machine: machine, createdAt: try row.instant("created_at"))
    }

    func round(_ number: Int) throws -> RoundMachine? {
        try rows("SELECT * FROM rounds WHERE federation = $1 AND number = $2", number).first.map { try round(from: $0) }
    }

    /// The stored merges.
    func merges() throws -> MergeRecord {
        let folded: Int =
            try rows("SELECT merges_folded_through FROM federations WHERE key = $1").first?
            .value("merges_folded_through") ?? 0
        let published = try rows(
            """
            SELECT number FROM rounds WHERE federation = $1 AND number > $2
              AND phase = '\(PhaseColumns.Name.published.rawValue)' ORDER BY number
            """, folded
        ).map { try $0.value("number") as Int }
        return MergeRecord(foldedThrough: folded, published: published)
    }

    /// A client's update of a round, as long as it is held.
    func update(of client: ClientName, round: Int) throws -> HeldUpdate? {
        let row = try rows(
            "SELECT * FROM updates WHERE federation = $1 AND round = $2 AND client = $3", round, client
        ).first
        guard let update = try row.map({ try Update($0) }), update.status.isHeld else { return nil }
        let count: Int? = try rows(
            """
            SELECT count(*) AS count FROM updates
            WHERE federation = $1 AND round = $2 AND NOT is_lost AND NOT is_taken_back
            """, round
        ).first?.value("count")
        return HeldUpdate(update: update, received: count ?? 0)
    }

    /// Rounds below `before`, newest first.
    func rounds(before: Int, limit: Int) throws -> [ListedRound] {
        try rows(
            "SELECT * FROM rounds WHERE federation = $1 AND number < $2 ORDER BY number DESC LIMIT $3", before,
            max(0, limit)
        ).map { row in
            let summary: String? = try row.optional("summary")
            guard summary != nil else { return ListedRound(round: try round(from: row), summary: nil) }
            let outline = try RoundMachine(
                row, participations: [:], updates: [:], refusals: [], decisions: try decisions(row.value("number")))
            return ListedRound(round: outline, summary: try row.json("summary"))
        }
    }

    /// Events after `id`, oldest first.
    func events(after id: Int64, limit: Int) throws -> [StoredEvent] {
        try rows("SELECT * FROM events WHERE federation = $1 AND id > $2 ORDER BY id LIMIT $3", id, max(0, limit))
            .map { StoredEvent(id: try $0.value("id"), event: try AuditEvent($0), hash: try $0.digest("hash")) }
    }

    /// Events before `id`, newest first.
    func events(before id: Int64, limit: Int) throws -> [StoredEvent] {
        try rows(
            "SELECT * FROM events WHERE federation = $1 AND id < $2 ORDER BY id DESC LIMIT $3", id, max(0, limit)
        ).map { StoredEvent(id: try $0.value("id"), event: try AuditEvent($0), hash: try $0.digest("hash")) }
    }

    /// What the rounds below `before` know of a client, newest first.
    func rounds(knowing client: ClientName, before: Int, limit: Int) throws -> [ClientRound] {
        let known = ["participations", "updates", "refusals"].map { table in
            "EXISTS (SELECT 1 FROM \(table) AS own WHERE own.federation = r.federation AND own.round = r.number AND own.client = $3)"
        }.joined(separator: " OR ")
        let numbers = try rows(
            """
            SELECT number FROM rounds AS r WHERE federation = $1 AND number < $2 AND (\(known))
            ORDER BY number DESC LIMIT $4
            """, before, client, max(0, limit)
        ).map { try $0.value("number") as Int }
        return try numbers.map { number in
            let own = "WHERE federation = $1 AND round = $2 AND client = $3"
            let results = try connection.run([
                PostgresStatement("SELECT * FROM participations \(own)", [key, number, client]),
                PostgresStatement("SELECT * FROM updates \(own)", [key, number, client]),
                PostgresStatement("SELECT * FROM refusals \(own) ORDER BY number", [key, number, client]),
            ])
            return ClientRound(
                number: number, answer: try results[0].first.map { try RoundMachine.Participation($0).state },
                update: try results[1].first.map { try Update($0) },
                refusals: try results[2].rows.map { try Refusal($0) })
        }
    }

    /// The list with the digest that an event names.
    func list(_ digest: ContentDigest) throws -> ClientList? {
        let stored = try rows(
            "SELECT runs, client_values FROM client_lists WHERE federation = $1 AND digest = $2", digest)
        guard let stored = stored.first else { return nil }
        let names = try rows("SELECT name, number FROM clients WHERE federation = $1 AND number IS NOT NULL").map {
            (try $0.value("number") as Int, try $0.text("name", as: ClientName.self))
        }
        let list = try StoredClientList(
            runs: try stored.value("runs"), values: try stored.optional("client_values"),
            limit: names.map(\.0).max() ?? 0)
        return try list.clients(named: Dictionary(uniqueKeysWithValues: names), digest: digest)
    }
}

extension PostgresReader {
    /// Runs a query whose first parameter is the federation.
    func rows(_ sql: String, _ parameters: any PostgresParameter...) throws -> [PostgresRow] {
        try connection.run(sql, [key] + parameters).rows
    }

    func tokens() throws -> [IssuedToken] {
        try rows("SELECT * FROM tokens WHERE federation = $1 AND NOT is_withdrawn").map { try IssuedToken($0) }
    }

    func clients() throws -> ClientTable<Client> {
        let histories = try histories(after: 0)
        var read = ClientRows()
        return ClientTable(
            try rows("SELECT * FROM clients WHERE federation = $1").map { row in
                let client = try read.client(row, history: histories[try row.text("name")] ?? Client.History())
                return (client.name, client)
            })
    }

    /// The clients that changed their claims since a round closed last, and how often; always as a whole.
    var clientChangesStatement: PostgresStatement {
        PostgresStatement("SELECT name, changes FROM clients WHERE federation = $1 AND changes > 0", [key])
    }

    static func clientChanges(_ result: PostgresResult) throws -> [ClientName: Int] {
        Dictionary(
            uniqueKeysWithValues: try result.rows.map { row in
                (try row.text("name", as: ClientName.self), try row.value("changes") as Int)
            })
    }

    /// What participations and updates that were written after a step say of each client's history.
    func histories(after step: Int64) throws -> [ClientName: Client.History] {
        let results = try connection.run(historyStatements(after: step))
        return try Self.histories(selected: results[0], updated: results[1])
    }

    func historyStatements(after step: Int64) -> [PostgresStatement] {
        [
            PostgresStatement(
                """
                SELECT client, max(round) AS round FROM participations WHERE federation = $1 AND step > $2
                GROUP BY client
                """, [key, step]),
            PostgresStatement(
                """
                SELECT DISTINCT ON (client) client, samples, coalesce(began, round) AS began FROM updates
                WHERE federation = $1 AND step > $2 ORDER BY client, coalesce(began, round) DESC
                """, [key, step]),
        ]
    }

    static func histories(
        selected: PostgresResult, updated: PostgresResult
    ) throws -> [ClientName: Client.History] {
        var histories: [ClientName: Client.History] = [:]
        for row in selected.rows {
            histories[try row.text("client"), default: Client.History()].lastSelected = try row.value("round")
        }
        for row in updated.rows {
            let client: ClientName = try row.text("client")
            histories[client, default: Client.History()].samples = try row.value("samples")
            histories[client, default: Client.History()].lastUpdated = try row.value("began")
        }
        return histories
    }

    private func round(from row: PostgresRow) throws -> RoundMachine {
        let results = try connection.run(roundStatements(try row.value("number"), after: 0))
        return try Self.round(row, results[...], after: nil)
    }

    /// What other tables have of a round, as far as it was written after a step; decisions as a whole.
    func roundStatements(_ round: Int, after step: Int64) -> [PostgresStatement] {
        // Few rows are new, so they are found by their step. The sum hides the round from the planner, which else walks
        // through all rows of the round, since a new round's size is not in its statistics.
        let ofRound = step > 0 ? "round + 0 = $2" : "round = $2"
        return [
            PostgresStatement(
                "SELECT * FROM participations WHERE federation = $1 AND \(ofRound) AND step > $3", [key, round, step]),
            PostgresStatement(
                "SELECT * FROM updates WHERE federation = $1 AND \(ofRound) AND step > $3", [key, round, step]),
            PostgresStatement(
                "SELECT * FROM refusals WHERE federation = $1 AND round = $2 AND step > $3 ORDER BY number",
                [key, round, step]),
            decisionStatement(round),
        ]
    }

    /// - Parameters:
    ///   - row: the round's own row.
    ///   - results: those of `roundStatements`.
    ///   - known: the round as it was at the step after which the rows were read.
    static func round(
        _ row: PostgresRow, _ results: ArraySlice<PostgresResult>, after known: RoundMachine?
    ) throws -> RoundMachine {
        let results = Array(results)
        var participations = known?.participations ?? ClientTable()
        for row in results[0].rows { participations[try row.text("client")] = try RoundMachine.Participation(row) }
        var updates = known?.updates ?? ClientTable()
        for row in results[1].rows {
            let update = try Update(row)
            updates[update.client] = update
        }
        let refused = try results[2].rows.map { try Refusal($0) }
        let isRepeated = { (known: Refusal) in refused.contains { $0.client == known.client && $0.code == known.code } }
        let kept = refused.isEmpty ? known?.refusals : known?.refusals.filter { !isRepeated($0) }
        return try RoundMachine(
            row, participations: participations, updates: updates, refusals: (kept ?? []) + refused,
            decisions: try results[3].rows.map { try AuditEvent($0) }.reversed())
    }

    private func decisions(_ round: Int) throws -> [AuditEvent] {
        try connection.run([decisionStatement(round)])[0].rows.map { try AuditEvent($0) }.reversed()
    }

    private func decisionStatement(_ round: Int) -> PostgresStatement {
        let kinds = AuditEvent.decisions.sorted().map { "'\($0)'" }.joined(separator: ", ")
        return PostgresStatement(
            """
            SELECT * FROM events WHERE federation = $1 AND round = $2 AND kind IN (\(kinds)) ORDER BY id DESC LIMIT $3
            """, [key, round, AuditEvent.decisionLimit])
    }
}
