/// A federation, in the answer to `GET /v1/federations/{f}`.
package struct FederationBody: Codable, Sendable, Hashable {
    package var id: String
    /// `waiting`, `running`, `paused` or `finished`.
    package var state: String
    /// The current round; 0 while the federation waits for its first clients.
    package var round: Int
    package var revision: Int64
    package var clients: Int
    package var createdAt: String
    package var settings: FederationDocument
    /// nil where clients do not evaluate.
    package var evaluation: Standing?

    enum CodingKeys: String, CodingKey {
        case id, state, round, revision, clients, settings, evaluation
        case createdAt = "created_at"
    }

    package init(
        id: String, state: String, round: Int, revision: Int64, clients: Int, createdAt: String,
        settings: FederationDocument
    ) {
        self.id = id
        self.state = state
        self.round = round
        self.revision = revision
        self.clients = clients
        self.createdAt = createdAt
        self.settings = settings
    }
}

/// The only answer with a new federation's tokens; the server keeps only their hashes.
package struct CreatedFederationBody: Codable, Sendable, Hashable {
    package var id: String
    package var enrolmentToken: String
    package var readerToken: String

    enum CodingKeys: String, CodingKey {
        case id
        case enrolmentToken = "enrolment_token"
        case readerToken = "reader_token"
    }

    package init(id: String, enrolmentToken: String, readerToken: String) {
        self.id = id
        self.enrolmentToken = enrolmentToken
        self.readerToken = readerToken
    }
}

/// `GET /v1/server`.
package struct ServerBody: Codable, Sendable, Hashable {
    package var version: String
    package var strategies: [String]
    package var limits: [String: JSONValue]

    package init(version: String, strategies: [String], limits: [String: JSONValue]) {
        self.version = version
        self.strategies = strategies
        self.limits = limits
    }
}

/// One row of the audit log: `GET …/events`.
package struct EventBody: Codable, Sendable, Hashable {
    package var id: Int64
    package var at: String
    /// Such as `client.registered`, `round.opened`, `update.accepted`.
    package var kind: String
    package var round: Int?
    package var client: String?
    package var detail: String?
    /// The hash over this row and all rows before it. With a kept copy one can tell whether they were changed since.
    package var hash: String

    package init(
        id: Int64, at: String, kind: String, round: Int?, client: String?, detail: String?, hash: String
    ) {
        self.id = id
        self.at = at
        self.kind = kind
        self.round = round
        self.client = client
        self.detail = detail
        self.hash = hash
    }
}
