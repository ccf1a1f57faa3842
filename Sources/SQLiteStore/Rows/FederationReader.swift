import Crypto
import Federation
import Foundation
import GRDB
import StoredRows

/// Reads the rows of one federation within the snapshot of one transaction.
struct FederationReader {
    private let database: Database
    private let row: Row
    /// `federations.key`
    private let key: Int64

    private init(database: Database, row: Row) throws {
        self.database = database
        self.row = row
        key = try row.value("key")
    }

    /// nil where there is no such federation.
    init?(_ id: FederationID, in database: Database) throws {
        let row = try Row.fetchOne(database, sql: "SELECT key FROM federations WHERE id = ?", arguments: [id.rawValue])
        guard let row else { return nil }
        try self.init(database: database, row: row)
    }

    /// All federations, in order of creation.
    static func federations(in database: Database) throws -> StoredFederations {
        var found = StoredFederations()
        for row in try Row.fetchAll(database, sql: "SELECT * FROM federations WHERE id < '~' ORDER BY key") {
            let reader = try FederationReader(database: database, row: row)
            do {
                found.sound.append(try reader.federation())
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
    static func federation(_ id: FederationID, in database: Database) throws -> StoredFederation? {
        try Row.fetchOne(database, sql: "SELECT * FROM federations WHERE id = ?", arguments: [id.rawValue]).map { row in
            try FederationReader(database: database, row: row).federation()
        }
    }

    /// A federation's stored machine. It is `copy` where that has the stored revision.
    static func current(_ copy: FederationMachine, in database: Database) throws -> FederationMachine {
        let id = copy.settings.id
        let statement = try database.cachedStatement(sql: "SELECT revision FROM federations WHERE id = ?")
        guard let revision = try Int64.fetchOne(statement, arguments: [id.rawValue]) else {
            throw StoreError.failed("\(id) is not stored any more")
        }
        if revision == copy.revision { return copy }
        return try federation(id, in: database)?.machine ?? copy
    }

    /// The issued token with this hash, and its federation.
    static func issuedToken(
        withHash hash: ContentDigest, in database: Database
    ) throws -> (FederationID, IssuedToken)? {
        let row = try Row.fetchOne(
            database,
            sql: """
                SELECT federations.id AS owner, tokens.* FROM tokens
                JOIN federations ON federations.key = tokens.federation WHERE hash = ? AND federations.id < '~'
                """, arguments: [hash.data])
        return try row.map { (try $0.text("owner"), try IssuedToken($0)) }
    }

    private func federation() throws -> StoredFederation {
        let number: Int? = try row.optional("round")
        let machine = FederationMachine(
            settings: try row.json("settings"), state: try row.text("state"), clients: try clients(),
            round: try number.flatMap { try round($0) }, publishedRound: try row.value("published_round"),
            revision: try row.value("revision"), planRevision: try row.value("plan_revision"),
            tokens: try tokens(), clientChanges: try clientChanges(), evaluation: try newestEvaluation())
        return StoredFederation(machine: machine, createdAt: try row.instant("created_at"))
    }

    func round(_ number: Int) throws -> RoundMachine? {
        try rows("SELECT * FROM rounds WHERE federation = ? AND number = ?", number) { try round(from: $0) }.first
    }

    /// The stored merges.
    func merges() throws -> MergeRecord {
        let folded =
            try rows("SELECT merges_folded_through FROM federations WHERE key = ?") { row in
                try row.value("merges_folded_through") as Int
            }.first ?? 0
        let published = try rows(
            """
            SELECT number FROM rounds
            WHERE federation = ? AND number > ? AND phase = '\(PhaseColumns.Name.published.rawValue)' ORDER BY number
            """, folded
        ) { try $0.value("number") as Int }
        return MergeRecord(foldedThrough: folded, published: published)
    }

    /// A client's update of a round, as long as it is held.
    func update(of client: ClientName, round: Int) throws -> HeldUpdate? {
        let found = try rows(
            "SELECT * FROM updates WHERE federation = ? AND round = ? AND client = ?", round, client.rawValue
        ) { try Update($0) }
        guard let update = found.first, update.status.isHeld else { return nil }
        let counts = try rows(
            "SELECT count(*) AS count FROM updates WHERE federation = ? AND round = ? AND NOT is_lost AND NOT is_taken_back",
            round
        ) { try $0.value("count") as Int }
        return HeldUpdate(update: update, received: counts.first ?? 0)
    }

    /// Rounds below `before`, newest first.
    func rounds(before: Int, limit: Int) throws -> [ListedRound] {
        try rows(
            "SELECT * FROM rounds WHERE federation = ? AND number < ? ORDER BY number DESC LIMIT ?", before,
            max(0, limit)
        ) { row in
            let text: String? = try row.optional("summary")
            guard text != nil else { return ListedRound(round: try round(from: row), summary: nil) }
            return ListedRound(round: try outline(from: row), summary: try row.json("summary"))
        }
    }

    /// Events after `id`, oldest first.
    func events(after id: Int64, limit: Int) throws -> [StoredEvent] {
        try rows("SELECT * FROM events WHERE federation = ? AND id > ? ORDER BY id LIMIT ?", id, max(0, limit)) { row in
            StoredEvent(id: try row.value("id"), event: try AuditEvent(row), hash: try row.digest("hash"))
        }
    }

    /// Events before `id`, newest first.
    func events(before id: Int64, limit: Int) throws -> [StoredEvent] {
        try rows(
            "SELECT * FROM events WHERE federation = ? AND id < ? ORDER BY id DESC LIMIT ?", id, max(0, limit)
        ) { row in
            StoredEvent(id: try row.value("id"), event: try AuditEvent(row), hash: try row.digest("hash"))
        }
    }

    /// What the rounds below `before` know of a client, newest first.
    func rounds(knowing client: ClientName, before: Int, limit: Int) throws -> [ClientRound] {
        let name = client.rawValue
        let known = ["participations", "updates", "refusals"].map { table in
            "EXISTS (SELECT 1 FROM \(table) AS own WHERE own.federation = r.federation AND own.round = r.number AND own.client = ?)"
        }.joined(separator: " OR ")
        let numbers = try rows(
            "SELECT number FROM rounds AS r WHERE federation = ? AND number < ? AND (\(known)) ORDER BY number DESC LIMIT ?",
            before, name, name, name, max(0, limit)
        ) { try $0.value("number") as Int }
        return try numbers.map { number in
            let own = "WHERE federation = ? AND round = ? AND client = ?"
            return ClientRound(
                number: number,
                answer: try rows("SELECT * FROM participations \(own)", number, name) {
                    try RoundMachine.Participation($0).state
                }.first,
                update: try rows("SELECT * FROM updates \(own)", number, name) { try Update($0) }.first,
                refusals: try rows("SELECT * FROM refusals \(own) ORDER BY id", number, name) { try Refusal($0) })
        }
    }

    /// The list with the digest that an event names.
    func list(_ digest: ContentDigest) throws -> ClientList? {
        let stored = try rows(
            "SELECT runs, client_values FROM client_lists WHERE federation = ? AND digest = ?", digest.data
        ) {
            (runs: try $0.value("runs") as Data, values: try $0.optional("client_values") as Data?)
        }
        guard let stored = stored.first else { return nil }
        let names = try rows("SELECT name, number FROM clients WHERE federation = ?") {
            (try $0.value("number") as Int, try $0.text("name", as: ClientName.self))
        }
        let list = try StoredClientList(
            runs: stored.runs, values: stored.values, limit: names.map(\.0).max() ?? 0)
        return try list.clients(named: Dictionary(uniqueKeysWithValues: names), digest: digest)
    }

    /// The digests of all lists.
    func lists() throws -> [ContentDigest] {
        try rows("SELECT digest FROM client_lists WHERE federation = ?") { try $0.digest("digest") }
    }
}

extension FederationReader {
    /// Runs a query whose first parameter is the federation.
    func rows<Value>(
        _ sql: String, _ arguments: any DatabaseValueConvertible..., as value: (Row) throws -> Value
    ) throws -> [Value] {
        let statement = try database.cachedStatement(sql: sql)
        let rows = try Row.fetchCursor(statement, arguments: [key] + StatementArguments(arguments))
        var values: [Value] = []
        while let row = try rows.next() { values.append(try value(row)) }
        return values
    }

    private func tokens() throws -> [IssuedToken] {
        try rows("SELECT * FROM tokens WHERE federation = ? ORDER BY id") { try IssuedToken($0) }
    }

    private func clients() throws -> ClientTable<Client> {
        let histories = try histories()
        var read = ClientRows()
        let clients = try rows("SELECT * FROM clients WHERE federation = ?") { row in
            let client = try read.client(row, history: histories[try row.text("name")] ?? Client.History())
            return (key: client.name, value: client)
        }
        return ClientTable(clients)
    }

    /// The clients that changed their claims since a round closed last, and how often.
    private func clientChanges() throws -> [ClientName: Int] {
        Dictionary(
            uniqueKeysWithValues: try rows(
                "SELECT name, changes FROM clients WHERE federation = ? AND changes > 0"
            ) { (try $0.text("name", as: ClientName.self), try $0.value("changes") as Int) })
    }

    /// The history of each client, from the rounds so far.
    private func histories() throws -> [ClientName: Client.History] {
        var histories: [ClientName: Client.History] = [:]
        _ = try rows(
            "SELECT client, MAX(round) AS round FROM participations WHERE federation = ? GROUP BY client"
        ) { row in
            let client: ClientName = try row.text("client")
            histories[client, default: Client.History()].lastSelected = try row.value("round")
        }
        // With MAX, SQLite takes the other columns from the row with the maximum.
        _ = try rows(
            """
            SELECT client, samples, MAX(coalesce(began, round)) AS began FROM updates WHERE federation = ? GROUP BY client
            """
        ) { row in
            let client: ClientName = try row.text("client")
            histories[client, default: Client.History()].samples = try row.value("samples")
            histories[client, default: Client.History()].lastUpdated = try row.value("began")
        }
        return histories
    }

    private func round(from row: Row) throws -> RoundMachine {
        let number: Int = try row.value("number")
        return try round(
            from: row, participations: try participations(of: number), updates: try updates(of: number),
            refusals: try refusals(of: number))
    }

    /// A round without the rows that its summary replaces.
    private func outline(from row: Row) throws -> RoundMachine {
        try round(from: row, participations: [:], updates: [:], refusals: [])
    }

    private func round(
        from row: Row, participations: ClientTable<RoundMachine.Participation>, updates: ClientTable<Update>,
        refusals: [Refusal]
    ) throws -> RoundMachine {
        try RoundMachine(
            row, participations: participations, updates: updates, refusals: refusals,
            decisions: try decisions(of: try row.value("number")))
    }

    private func decisions(of round: Int) throws -> [AuditEvent] {
        let kinds = AuditEvent.decisions.sorted().map { "'\($0)'" }.joined(separator: ", ")
        // Without this hint, SQLite searches the whole log for the newest.
        return try rows(
            """
            SELECT * FROM events INDEXED BY events_of_round
            WHERE federation = ? AND round = ? AND kind IN (\(kinds)) ORDER BY id DESC LIMIT ?
            """, round, AuditEvent.decisionLimit
        ) { try AuditEvent($0) }.reversed()
    }

    private func participations(of round: Int) throws -> ClientTable<RoundMachine.Participation> {
        let participations = try rows("SELECT * FROM participations WHERE federation = ? AND round = ?", round) { row in
            (try row.text("client", as: ClientName.self), try RoundMachine.Participation(row))
        }
        return ClientTable(participations)
    }

    private func updates(of round: Int) throws -> ClientTable<Update> {
        let updates = try rows("SELECT * FROM updates WHERE federation = ? AND round = ?", round) { try Update($0) }
        return ClientTable(updates.map { ($0.client, $0) })
    }

    private func refusals(of round: Int) throws -> [Refusal] {
        try rows("SELECT * FROM refusals WHERE federation = ? AND round = ? ORDER BY id", round) { try Refusal($0) }
    }
}
