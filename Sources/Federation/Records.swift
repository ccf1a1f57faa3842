/// A registered agent with the rank that it advertised.
package struct Client: Sendable, Hashable {
    package let name: ClientName
    /// As advertised, at most the federation's maximum.
    package var rank: Int
    /// The hash of the token that the client made itself.
    package let token: ContentDigest
    package var capabilities: Capabilities
    package let registeredAt: Timestamp
    /// When the store last heard of it; the session knows better while it runs.
    package var lastSeenAt: Timestamp
    package var revokedAt: Timestamp?
    /// Whether it was the client that ended its registration: its place stays taken until the admin revokes it too, or
    /// one holder of an enrolment token could register for ever.
    package var leftByItself: Bool
    package var history: History

    /// Whether it counts against the federation's limit.
    package var holdsPlace: Bool { revokedAt == nil || leftByItself }

    /// What of the rounds before bears on the next; it follows from them, and no record of its own is kept.
    package struct History: Sendable, Hashable {
        /// The last round that selected the client; 0 for none.
        package var lastSelected: Int
        /// The samples of its last update.
        package var samples: Int?
        /// The last round whose plan an update of it followed; 0 for none.
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

/// What a client measured while it trained.
package struct Metrics: Sendable, Hashable {
    package var loss: Double?
    package var accuracy: Double?

    /// The size that no metric may exceed: far beyond any that still says something, and no sum of such overflows.
    package static let largest = 1e12

    package init(loss: Double? = nil, accuracy: Double? = nil) {
        self.loss = loss
        self.accuracy = accuracy
    }

    /// The first metric that is no number or too large to be taken, in words.
    package var objection: String? {
        for (name, value) in [("loss", loss), ("accuracy", accuracy)] {
            guard let value, !(abs(value) <= Self.largest) else { continue }
            return "\(name) is \(value); expected a number from -\(Self.largest) to \(Self.largest)"
        }
        return nil
    }
}

/// A client's adapter for a round; its bytes are the blob of its digest.
package struct Update: Sendable, Hashable {
    package enum Status: Sendable, Hashable {
        /// Counts, or has counted, in its round.
        case accepted
        /// On record, but not in the sum, for this reason.
        case leftOut(reason: String)
        /// Its bytes can be read no more, for this reason; its client is asked again while the round collects.
        case lost(reason: String)
        /// The admin took it back while its round collected; its bytes are gone.
        case takenBack(reason: String)

        /// Whether the server still has the bytes, or had them until the round ended.
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
    /// The ranks of its modules where they are not those of `rank`.
    package let ranks: [String: Int]?
    /// ‖·‖_F of all that it would put into the model, where the federation's limits ask for it.
    package let norm: Double?
    /// Where the federation's limits ask for it, until its round has ended.
    package var factorSizes: FactorSizes?
    /// The round whose plan it followed, where that is an earlier one than the round it counts in.
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

/// Why an update was not taken, as its round shows it; a client has one per code.
package struct Refusal: Sendable, Hashable {
    package let client: ClientName
    package let at: Timestamp
    package let code: String
    package let detail: String
    /// How often the round has seen it.
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
    /// Whether the round also published something to add to the base.
    package let hasMerge: Bool

    package init(digest: ContentDigest, byteCount: Int, ranks: [String: Int], hasMerge: Bool = false) {
        self.digest = digest
        self.byteCount = byteCount
        self.ranks = ranks
        self.hasMerge = hasMerge
    }
}

/// One row of the audit log.
package struct AuditEvent: Sendable, Hashable {
    /// The kinds that a round shows as its decisions; what befalls each of many clients stands in its other lists.
    package static let decisions: Set<String> = [
        "round.opened", "round.invited", "round.extended", "round.closed", "round.reopened", "round.published",
        "round.failed", "client.declined", "client.left", "update.left_out", "update.lost", "update.taken_back",
    ]
    /// A round shows this many decisions, the newest.
    package static let decisionLimit = 100

    package let at: Timestamp
    /// Such as `client.registered`, `round.opened`, `update.accepted`.
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
