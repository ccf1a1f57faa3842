import Federation
import StoredRows

/// Brings a server's copy of a federation to what is stored, by the rows that were written since.
extension PostgresReader {
    /// - Parameters:
    ///   - copy: the federation as it was stored at its revision.
    ///   - row: the federation's own row. Its `settings` are null where they are those of the copy.
    func federation(_ copy: FederationMachine, movedTo row: PostgresRow) throws -> FederationMachine {
        let since = copy.revision
        let settings: String? = try row.optional("settings")
        return FederationMachine(
            settings: settings == nil ? copy.settings : try row.json("settings"), state: try row.text("state"),
            clients: try clients(copy.clients, since: since),
            round: try round(copy.round, number: try row.optional("round"), since: since),
            publishedRound: try row.value("published_round"), revision: try row.value("revision"),
            planRevision: try row.value("plan_revision"), tokens: try tokens(copy.tokens, since: since))
    }

    private func clients(_ known: ClientTable, since: Int64) throws -> ClientTable {
        var clients = known
        var read = ClientRows()
        for row in try rows("SELECT * FROM clients WHERE federation = $1 AND step > $2", since) {
            let name: ClientName = try row.text("name")
            clients[name] = try read.client(row, history: known[name]?.history ?? Client.History())
        }
        for (name, news) in try histories(after: since) {
            guard var history = clients[name]?.history else { continue }
            history.lastSelected = max(history.lastSelected, news.lastSelected)
            if news.samples != nil, news.lastUpdated >= history.lastUpdated {
                (history.samples, history.lastUpdated) = (news.samples, news.lastUpdated)
            }
            clients[name]?.history = history
        }
        return clients
    }

    private func tokens(_ known: [String: IssuedToken], since: Int64) throws -> [IssuedToken] {
        var tokens = known
        for row in try rows("SELECT * FROM tokens WHERE federation = $1 AND step > $2", since) {
            let isWithdrawn: Bool = try row.value("is_withdrawn")
            tokens[try row.value("id")] = isWithdrawn ? nil : try IssuedToken(row)
        }
        return Array(tokens.values)
    }

    private func round(_ known: RoundMachine?, number: Int?, since: Int64) throws -> RoundMachine? {
        guard let number else { return nil }
        guard let known, known.number == number else { return try round(number) }
        guard let row = try rows("SELECT * FROM rounds WHERE federation = $1 AND number = $2", number).first else {
            throw StoreError.failed("round \(number) is not stored")
        }
        let participations = known.participations.merging(try participations(number, after: since)) { $1 }
        let updates = known.updates.merging(try updates(number, after: since)) { $1 }
        return try RoundMachine(
            row, participations: participations, updates: updates, refusals: try refusals(number),
            decisions: try decisions(number))
    }
}
