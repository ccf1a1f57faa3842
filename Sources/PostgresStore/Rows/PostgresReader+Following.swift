import Federation
import StoredRows

/// Brings a server's copy of a federation to what is stored, by the rows that were written since: all questions go to
/// the database at once, because the federation's row is locked meanwhile.
extension PostgresReader {
    /// - Parameters:
    ///   - copy: the federation as it was stored at its revision.
    ///   - row: the federation's own row. Its `settings` are null where they are those of the copy.
    func federation(_ copy: FederationMachine, movedTo row: PostgresRow) throws -> FederationMachine {
        let since = copy.revision
        let number: Int? = try row.optional("round")
        // A round that the copy has too is brought up to date; another one is read as a whole.
        let known = copy.round?.number == number ? copy.round : nil
        var statements = [
            PostgresStatement("SELECT * FROM clients WHERE federation = $1 AND step > $2", [key, since]),
            PostgresStatement("SELECT * FROM tokens WHERE federation = $1 AND step > $2", [key, since]),
        ]
        statements += historyStatements(after: since)
        if let number {
            statements.append(
                PostgresStatement("SELECT * FROM rounds WHERE federation = $1 AND number = $2", [key, number]))
            statements += roundStatements(number, after: known == nil ? 0 : since)
        }
        statements.append(clientChangesStatement)
        let evaluation = copy.settings.evaluation == nil ? [] : evaluationStatements(after: since)
        let results = try connection.run(statements + evaluation)
        let settings: String? = try row.optional("settings")
        return FederationMachine(
            settings: settings == nil ? copy.settings : try row.json("settings"), state: try row.text("state"),
            clients: try Self.clients(
                copy.clients, results[0], try Self.histories(selected: results[2], updated: results[3])),
            round: try number.map { try Self.round($0, results[4...], after: known) },
            publishedRound: try row.value("published_round"), revision: try row.value("revision"),
            planRevision: try row.value("plan_revision"), tokens: try Self.tokens(copy.tokens, results[1]),
            clientChanges: try Self.clientChanges(results[statements.count - 1]),
            evaluation: try Self.evaluation(results[statements.count...], after: copy.evaluation))
    }

    private static func clients(
        _ known: ClientTable<Client>, _ changed: PostgresResult, _ news: [ClientName: Client.History]
    ) throws -> ClientTable<Client> {
        var clients = known
        var read = ClientRows()
        for row in changed.rows {
            let name: ClientName = try row.text("name")
            clients[name] = try read.client(row, history: known[name]?.history ?? Client.History())
        }
        // A round may have selected all of a million clients.
        for (name, news) in news {
            clients.change(name) { client in
                client.history.lastSelected = max(client.history.lastSelected, news.lastSelected)
                if news.samples != nil, news.lastUpdated >= client.history.lastUpdated {
                    (client.history.samples, client.history.lastUpdated) = (news.samples, news.lastUpdated)
                }
            }
        }
        return clients
    }

    private static func tokens(_ known: [String: IssuedToken], _ changed: PostgresResult) throws -> [IssuedToken] {
        var tokens = known
        for row in changed.rows {
            let isWithdrawn: Bool = try row.value("is_withdrawn")
            tokens[try row.value("id")] = isWithdrawn ? nil : try IssuedToken(row)
        }
        return Array(tokens.values)
    }

    /// - Parameter results: the round's own row, then those of `roundStatements`.
    private static func round(
        _ number: Int, _ results: ArraySlice<PostgresResult>, after known: RoundMachine?
    ) throws -> RoundMachine {
        guard let row = results.first?.first else { throw StoreError.failed("round \(number) is not stored") }
        return try round(row, results.dropFirst(), after: known)
    }
}
