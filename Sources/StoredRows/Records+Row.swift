package import Federation
import Foundation

/// The records of a federation, read from their rows.
extension Update {
    package init(_ row: some StoredRow) throws(StoreError) {
        let ranks: String? = try row.optional("ranks")
        self.init(
            client: try row.text("client"), digest: try row.digest("digest"), byteCount: try row.value("bytes"),
            rank: try row.value("rank"), samples: try row.value("samples"),
            metrics: Metrics(loss: try row.optional("loss"), accuracy: try row.optional("accuracy")),
            receivedAt: try row.instant("received_at"), ranks: ranks == nil ? nil : try row.json("ranks"),
            norm: try row.optional("norm"),
            factorSizes: try row.floats("factor_sizes").map(FactorSizes.init(values:)),
            began: try row.optional("began"), status: try StatusColumns.status(of: row))
    }
}

extension RoundMachine.Participation {
    package init(_ row: some StoredRow) throws(StoreError) {
        self.init(
            state: try row.text("state"), revision: try row.value("revision"), rank: try row.optional("rank"))
    }
}

extension Refusal {
    package init(_ row: some StoredRow) throws(StoreError) {
        self.init(
            client: try row.text("client"), at: try row.instant("at"), code: try row.value("code"),
            detail: try row.value("detail"), count: try row.value("count"))
    }
}

extension AuditEvent {
    package init(_ row: some StoredRow) throws(StoreError) {
        let client: ClientName? = try row.optionalText("client")
        self.init(
            at: try row.instant("at"), kind: try row.value("kind"), round: try row.optional("round"), client: client,
            detail: try row.optional("detail"))
    }
}

extension IssuedToken {
    package init(_ row: some StoredRow) throws(StoreError) {
        self.init(
            id: try row.value("id"), role: try row.text("role"), hash: try row.digest("hash"),
            createdAt: try row.instant("created_at"), expiresAt: try row.optionalInstant("expires_at"),
            usesLeft: try row.optional("uses_left"))
    }
}

extension RoundMachine {
    /// A round from its own row and from what other rows have of it.
    package init(
        _ row: some StoredRow, participations: ClientTable<Participation>, updates: ClientTable<Update>,
        refusals: [Refusal], decisions: [AuditEvent]
    ) throws(StoreError) {
        self.init(
            number: try row.value("number"), openedAt: try row.instant("opened_at"),
            minimumUpdates: try row.value("minimum_updates"), minimumCoverage: try row.optional("minimum_coverage"),
            targetUpdates: try row.optional("target_updates"), phase: try PhaseColumns.phase(of: row),
            deadline: try row.instant("deadline"), closedAt: try row.optionalInstant("closed_at"),
            participations: participations, updates: updates, refusals: refusals, decisions: decisions,
            hasReopened: try row.value("has_reopened"))
    }
}

/// Reads clients' rows. Equal capabilities are read once, because most clients of a federation have the same.
package struct ClientRows {
    private var capabilities: [String: Capabilities] = [:]

    package init() {}

    package mutating func client(_ row: some StoredRow, history: Client.History) throws -> Client {
        let text: String = try row.value("capabilities")
        let known =
            capabilities[text]
            ?? Capabilities(text: text) { try JSONDecoder().decode(Capabilities.Claims.self, from: Data($0.utf8)) }
        capabilities[text] = known
        return Client(
            name: try row.text("name"), rank: try row.value("rank"), token: try row.digest("token"),
            capabilities: known, registeredAt: try row.instant("registered_at"),
            lastSeenAt: try row.instant("last_seen_at"), revokedAt: try row.optionalInstant("revoked_at"),
            leftByItself: try row.value("left_by_itself"), history: history)
    }
}
