/// The answer to `GET /v1/federations`, or a page of it.
package struct FederationsBody<Item: Codable & Sendable & Hashable>: Codable, Sendable, Hashable {
    package var federations: [Item]
    /// The name of the last federation if there are more; pass it as `after`.
    package var next: String?

    package init(_ federations: [Item], next: String?) {
        self.federations = federations
        self.next = next
    }
}

/// A federation in a list with `outline`: without its settings, but with the open round's numbers.
package struct FederationOutlineBody: Codable, Sendable, Hashable {
    /// The open round.
    package struct Open: Codable, Sendable, Hashable {
        /// `collecting` or `aggregating`.
        package var phase: String
        package var deadlineAt: String
        package var selected: Int
        package var received: Int
        package var refused: Int
        /// How many selected clients have not answered.
        package var awaited: Int
        package var minUpdates: Int

        enum CodingKeys: String, CodingKey {
            case phase, selected, received, refused, awaited
            case deadlineAt = "deadline_at"
            case minUpdates = "min_updates"
        }

        package init(
            phase: String, deadlineAt: String, selected: Int, received: Int, refused: Int, awaited: Int,
            minUpdates: Int
        ) {
            self.phase = phase
            self.deadlineAt = deadlineAt
            self.selected = selected
            self.received = received
            self.refused = refused
            self.awaited = awaited
            self.minUpdates = minUpdates
        }
    }

    package var id: String
    package var state: String
    /// The current round; 0 while the federation waits for its first clients.
    package var round: Int
    /// How many rounds it runs.
    package var rounds: Int
    package var revision: Int64
    package var clients: Int
    package var createdAt: String
    package var strategy: String
    package var baseModel: String
    /// Absent while its template is missing.
    package var maxRank: Int?
    /// Absent where no round is open.
    package var open: Open?

    enum CodingKeys: String, CodingKey {
        case id, state, round, rounds, revision, clients, strategy, open
        case createdAt = "created_at"
        case baseModel = "base_model"
        case maxRank = "max_rank"
    }

    package init(
        id: String, state: String, round: Int, rounds: Int, revision: Int64, clients: Int, createdAt: String,
        strategy: String, baseModel: String, maxRank: Int?, open: Open?
    ) {
        self.id = id
        self.state = state
        self.round = round
        self.rounds = rounds
        self.revision = revision
        self.clients = clients
        self.createdAt = createdAt
        self.strategy = strategy
        self.baseModel = baseModel
        self.maxRank = maxRank
        self.open = open
    }
}
