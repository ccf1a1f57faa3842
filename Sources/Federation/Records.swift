/// A registered client with the rank that it advertised.
package struct Client: Sendable, Hashable {
    package let name: ClientName
    /// The advertised rank, at most the federation's maximum.
    package var rank: Int
    /// The hash of the token that the client made itself.
    package let token: ContentDigest
    package var capabilities: Capabilities
    package let registeredAt: Timestamp
    /// The last call in the store's record. A running session has the newer value.
    package var lastSeenAt: Timestamp
    package var revokedAt: Timestamp?
    /// Whether the client ended its registration itself. Its place then stays taken until the admin revokes it too.
    /// Otherwise the holder of an enrolment token could register clients without end.
    package var leftByItself: Bool
    package var history: History

    /// Whether it counts towards the federation's limit of clients.
    package var holdsPlace: Bool { revokedAt == nil || leftByItself }

    /// What later rounds need of earlier ones. It is derived from them and not stored by itself.
    package struct History: Sendable, Hashable {
        /// The last round that selected the client; 0 for none.
        package var lastSelected: Int
        /// The number of samples of its last update.
        package var samples: Int?
        /// The last round whose plan one of its updates followed; 0 for none.
        package var lastUpdated: Int

        package init(lastSelected: Int = 0, samples: Int? = nil, lastUpdated: Int = 0) {
            self.lastSelected = lastSelected
            self.samples = samples
            self.lastUpdated = lastUpdated
        }
    }

    package init(
        name: ClientName, rank: Int, token: ContentDigest, capabilities: Capabilities, registeredAt: Timestamp,
        lastSeenAt: Timestamp, revokedAt: Timestamp? = nil, leftByItself: Bool = false, history: History = History()
    ) {
        self.name = name
        self.rank = rank
        self.token = token
        self.capabilities = capabilities
        self.registeredAt = registeredAt
        self.lastSeenAt = lastSeenAt
        self.revokedAt = revokedAt
        self.leftByItself = leftByItself
        self.history = history
    }
}

/// The values that a client measured during training.
package struct Metrics: Sendable, Hashable {
    package var loss: Double?
    package var accuracy: Double?

    /// The largest size of a metric. It is far above any meaningful value, and no sum of such metrics overflows.
    package static let largest = 1e12

    package init(loss: Double? = nil, accuracy: Double? = nil) {
        self.loss = loss
        self.accuracy = accuracy
    }

    /// What is wrong with the first metric that is no number or too large; nil where none is.
    package var objection: String? {
        for (name, value) in [("loss", loss), ("accuracy", accuracy)] {
            guard let value, !(abs(value) <= Self.largest) else { continue }
            return "\(name) is \(value); expected a number from -\(Self.largest) to \(Self.largest)"
        }
        return nil
    }
}

/// A client's adapter for a round; its digest names the blob with its bytes.
package struct Update: Sendable, Hashable {
    /// Whether the update counts and whether its bytes are held.
    package enum Status: Sendable, Hashable {
        /// Counts, or has counted, in its round.
        case accepted
        /// Recorded but left out of the aggregate, for this reason.
        case leftOut(reason: String)
        /// Its bytes can no longer be read, for this reason. Its client is asked again while the round collects.
        case lost(reason: String)
        /// The admin took it back while its round collected; its bytes are deleted.
        case takenBack(reason: String)

        /// Whether the server holds the bytes, or held them until the round ended.
        package var isHeld: Bool {
            switch self {
            case .accepted, .leftOut: true
            case .lost, .takenBack: false
            }
        }
    }

    package let client: ClientName
    package let digest: ContentDigest
    package let byteCount: Int
    package let rank: Int
    package let samples: Int
    package let metrics: Metrics
    package let receivedAt: Timestamp
    /// The ranks of its modules, where they do not follow from `rank`.
    package let ranks: [String: Int]?
    /// ‖·‖_F of its whole change to the model; measured where the federation's limits need it.
    package let norm: Double?
    /// Measured where the federation's limits need it; kept until its round ends.
    package var factorSizes: FactorSizes?
    /// The round whose plan it followed, where that is an earlier round than the one it counts in.
    package var began: Int?
    package var status: Status

    package init(
        client: ClientName, digest: ContentDigest, byteCount: Int, rank: Int, samples: Int, metrics: Metrics,
        receivedAt: Timestamp, ranks: [String: Int]? = nil, norm: Double? = nil, factorSizes: FactorSizes? = nil,
        began: Int? = nil, status: Status = .accepted
    ) {
        self.client = client
        self.digest = digest
        self.byteCount = byteCount
        self.rank = rank
        self.samples = samples
        self.metrics = metrics
        self.receivedAt = receivedAt
        self.ranks = ranks
        self.norm = norm
        self.factorSizes = factorSizes
        self.began = began
        self.status = status
    }
}

/// Why an update was refused, as its round reports it. A client has one refusal per code.
package struct Refusal: Sendable, Hashable {
    package let client: ClientName
    package let at: Timestamp
    package let code: String
    package let detail: String
    /// How often the round has had this refusal.
    package var count: Int

    package init(client: ClientName, at: Timestamp, code: String, detail: String, count: Int = 1) {
        self.client = client
        self.at = at
        self.code = code
        self.detail = detail
        self.count = count
    }
}

/// The adapter that a round published, rendered at the federation's maximum ranks and element type.
package struct PublishedAdapter: Sendable, Hashable {
    package let digest: ContentDigest
    package let byteCount: Int
    package let ranks: [String: Int]
    /// Whether the round also published a merge.
    package let hasMerge: Bool

    package init(digest: ContentDigest, byteCount: Int, ranks: [String: Int], hasMerge: Bool = false) {
        self.digest = digest
        self.byteCount = byteCount
        self.ranks = ranks
        self.hasMerge = hasMerge
    }
}

/// What a robust rule did in a round.
package struct RobustOutcome: Sendable, Hashable {
    /// The updates that it left out, with the reason.
    package var leftOut: [ClientName: String]
    /// Sentences about the round.
    package var notes: [String]

    package init(leftOut: [ClientName: String] = [:], notes: [String] = []) {
        self.leftOut = leftOut
        self.notes = notes
    }
}

/// One row of the audit log.
package struct AuditEvent: Sendable, Hashable {
    /// The kinds of events that a round shows as its decisions. Events of single clients appear in its other lists.
    package static let decisions: Set<String> = [
        "round.opened", "round.invited", "round.extended", "round.closed", "round.reopened", "round.published",
        "round.failed", "round.robust", "client.declined", "client.left", "update.left_out", "update.lost",
        "update.taken_back",
    ]
    /// The number of newest decisions that a round shows.
    package static let decisionLimit = 100

    package let at: Timestamp
    /// For example `client.registered`, `round.opened`, `update.accepted`.
    package let kind: String
    package let round: Int?
    package let client: ClientName?
    package let detail: String?

    package init(at: Timestamp, kind: String, round: Int? = nil, client: ClientName? = nil, detail: String? = nil) {
        self.at = at
        self.kind = kind
        self.round = round
        self.client = client
        self.detail = detail
    }
}
