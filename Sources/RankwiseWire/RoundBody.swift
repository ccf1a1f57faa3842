/// A round, as `GET …/rounds/{t}` answers it. Times are RFC 3339 in UTC.
package struct RoundBody: Codable, Sendable, Hashable {
    package struct Update: Codable, Sendable, Hashable {
        package var client: String
        /// `accepted`, or `left_out` with a reason.
        package var status: String
        package var reason: String?
        package var rank: Int
        package var samples: Int
        /// `sha256:` and 64 hexadecimal digits.
        package var digest: String
        package var bytes: Int
        package var receivedAt: String
        package var metrics: Metrics

        enum CodingKeys: String, CodingKey {
            case client, status, reason, rank, samples, digest, bytes, metrics
            case receivedAt = "received_at"
        }

        package init(
            client: String, status: String, reason: String?, rank: Int, samples: Int, digest: String, bytes: Int,
            receivedAt: String, metrics: Metrics
        ) {
            self.client = client
            self.status = status
            self.reason = reason
            self.rank = rank
            self.samples = samples
            self.digest = digest
            self.bytes = bytes
            self.receivedAt = receivedAt
            self.metrics = metrics
        }
    }

    package struct Refusal: Codable, Sendable, Hashable {
        package var client: String
        package var at: String
        package var code: String
        package var detail: String

        package init(client: String, at: String, code: String, detail: String) {
            self.client = client
            self.at = at
            self.code = code
            self.detail = detail
        }
    }

    /// What a client measured; on a round, the sample-weighted means of what its clients sent.
    package struct Metrics: Codable, Sendable, Hashable {
        package var loss: Double?
        package var accuracy: Double?

        package init(loss: Double? = nil, accuracy: Double? = nil) {
            self.loss = loss
            self.accuracy = accuracy
        }
    }

    package struct Adapter: Codable, Sendable, Hashable {
        package var digest: String
        package var bytes: Int
        package var ranks: [String: Int]
        /// Whether the round also published something to add to the base.
        package var merge: Bool

        package init(digest: String, bytes: Int, ranks: [String: Int], merge: Bool) {
            self.digest = digest
            self.bytes = bytes
            self.ranks = ranks
            self.merge = merge
        }
    }

    package var federation: String
    package var round: Int
    /// `waiting` (round 0 alone), `collecting`, `aggregating`, `published` or `failed`.
    package var phase: String
    /// Why a failed round failed.
    package var reason: String?
    package var revision: Int64
    package var strategy: String
    package var openedAt: String?
    package var deadlineAt: String?
    package var closedAt: String?
    package var selected: Int
    package var received: Int
    package var refused: Int
    package var minUpdates: Int
    package var updates: [Update]
    package var refusals: [Refusal]
    package var metrics: Metrics
    package var adapter: Adapter?

    enum CodingKeys: String, CodingKey {
        case federation, round, phase, reason, revision, strategy, selected, received, refused, updates, refusals
        case metrics, adapter
        case openedAt = "opened_at"
        case deadlineAt = "deadline_at"
        case closedAt = "closed_at"
        case minUpdates = "min_updates"
    }

    package init(
        federation: String, round: Int, phase: String, reason: String?, revision: Int64, strategy: String,
        openedAt: String?, deadlineAt: String?, closedAt: String?, selected: Int, received: Int, refused: Int,
        minUpdates: Int, updates: [Update], refusals: [Refusal], metrics: Metrics, adapter: Adapter?
    ) {
        self.federation = federation
        self.round = round
        self.phase = phase
        self.reason = reason
        self.revision = revision
        self.strategy = strategy
        self.openedAt = openedAt
        self.deadlineAt = deadlineAt
        self.closedAt = closedAt
        self.selected = selected
        self.received = received
        self.refused = refused
        self.minUpdates = minUpdates
        self.updates = updates
        self.refusals = refusals
        self.metrics = metrics
        self.adapter = adapter
    }

    package func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(federation, forKey: .federation)
        try values.encode(round, forKey: .round)
        try values.encode(phase, forKey: .phase)
        try values.encodeIfPresent(reason, forKey: .reason)
        try values.encode(revision, forKey: .revision)
        try values.encode(strategy, forKey: .strategy)
        try values.encode(openedAt, forKey: .openedAt)
        try values.encode(deadlineAt, forKey: .deadlineAt)
        try values.encode(closedAt, forKey: .closedAt)
        try values.encode(selected, forKey: .selected)
        try values.encode(received, forKey: .received)
        try values.encode(refused, forKey: .refused)
        try values.encode(minUpdates, forKey: .minUpdates)
        try values.encode(updates, forKey: .updates)
        try values.encode(refusals, forKey: .refusals)
        try values.encode(metrics, forKey: .metrics)
        try values.encode(adapter, forKey: .adapter)
    }
}
