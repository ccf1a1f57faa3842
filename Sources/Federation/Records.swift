/// A registered agent with the rank that it advertised.
package struct Client: Sendable, Hashable {
    package let name: ClientName
    /// As advertised, at most the federation's maximum.
    package var rank: Int
    /// The hash of the token that the client made itself.
    package let token: ContentDigest
    /// A JSON object, kept for the operator.
    package var capabilities: String
    package let registeredAt: Instant
    /// When the store last heard of it; the session knows better while it runs.
    package var lastSeenAt: Instant
    package var revokedAt: Instant?

    package init(
        name: ClientName, rank: Int, token: ContentDigest, capabilities: String, registeredAt: Instant,
        lastSeenAt: Instant,
        revokedAt: Instant? = nil
    ) {
        self.name = name
        self.rank = rank
        self.token = token
        self.capabilities = capabilities
        self.registeredAt = registeredAt
        self.lastSeenAt = lastSeenAt
        self.revokedAt = revokedAt
    }
}

/// What a client measured while it trained.
package struct Metrics: Sendable, Hashable {
    package var loss: Double?
    package var accuracy: Double?

    package init(loss: Double? = nil, accuracy: Double? = nil) {
        self.loss = loss
        self.accuracy = accuracy
    }
}

/// A client's adapter for a round; its bytes are the blob of its digest.
package struct Update: Sendable, Hashable {
    package enum Status: Sendable, Hashable {
        /// Counts, or has counted, in its round.
        case accepted
        /// On record, but not in the sum, for this reason.
        case leftOut(reason: String)
    }

    package let client: ClientName
    package let digest: ContentDigest
    package let byteCount: Int
    package let rank: Int
    package let samples: Int
    package let metrics: Metrics
    package let receivedAt: Instant
    package var status: Status

    package init(
        client: ClientName, digest: ContentDigest, byteCount: Int, rank: Int, samples: Int, metrics: Metrics,
        receivedAt: Instant, status: Status = .accepted
    ) {
        self.client = client
        self.digest = digest
        self.byteCount = byteCount
        self.rank = rank
        self.samples = samples
        self.metrics = metrics
        self.receivedAt = receivedAt
        self.status = status
    }
}

/// Why an update was not taken, as its round shows it; a client has one per code.
package struct Refusal: Sendable, Hashable {
    package let client: ClientName
    package let at: Instant
    package let code: String
    package let detail: String

    package init(client: ClientName, at: Instant, code: String, detail: String) {
        self.client = client
        self.at = at
        self.code = code
        self.detail = detail
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
    package let at: Instant
    /// Such as `client.registered`, `round.opened`, `update.accepted`.
    package let kind: String
    package let round: Int?
    package let client: ClientName?
    package let detail: String?

    package init(at: Instant, kind: String, round: Int? = nil, client: ClientName? = nil, detail: String? = nil) {
        self.at = at
        self.kind = kind
        self.round = round
        self.client = client
        self.detail = detail
    }
}
