/// A round, in the answer to `GET …/rounds/{t}`. Times are RFC 3339 in UTC.
package struct RoundBody: Codable, Sendable, Hashable {
    package struct Update: Codable, Sendable, Hashable {
        package var client: String
        /// `accepted`; `left_out` or `lost` with a reason.
        package var status: String
        package var reason: String?
        package var rank: Int
        package var samples: Int
        /// `sha256:` and 64 hexadecimal digits.
        package var digest: String
        package var bytes: Int
        package var receivedAt: String
        package var metrics: Metrics
        /// The Frobenius norm of the whole change that it makes to the model, where the federation limits it.
        package var norm: Double?
        /// In an asynchronous federation, how many versions ago the update started.
        package var staleness: Int?

        enum CodingKeys: String, CodingKey {
            case client, status, reason, rank, samples, digest, bytes, metrics, norm, staleness
            case receivedAt = "received_at"
        }

        package init(
            client: String, status: String, reason: String?, rank: Int, samples: Int, digest: String, bytes: Int,
            receivedAt: String, metrics: Metrics, norm: Double? = nil, staleness: Int? = nil
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
            self.norm = norm
            self.staleness = staleness
        }
    }

    package struct Refusal: Codable, Sendable, Hashable {
        package var client: String
        package var at: String
        package var code: String
        package var detail: String
        /// How often it occurred; `at` and `detail` are those of the last time.
        package var count: Int

        package init(client: String, at: String, code: String, detail: String, count: Int = 1) {
            self.client = client
            self.at = at
            self.code = code
            self.detail = detail
            self.count = count
        }

        /// Earlier servers sent no count.
        package init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: CodingKeys.self)
            self.init(
                client: try values.decode(String.self, forKey: .client),
                at: try values.decode(String.self, forKey: .at),
                code: try values.decode(String.self, forKey: .code),
                detail: try values.decode(String.self, forKey: .detail),
                count: try values.decodeIfPresent(Int.self, forKey: .count) ?? 1)
        }
    }

    /// A decision about the round, as in the audit log.
    package struct Decision: Codable, Sendable, Hashable {
        package var at: String
        /// Such as `round.extended` or `update.left_out`.
        package var kind: String
        package var client: String?
        package var reason: String?

        package init(at: String, kind: String, client: String?, reason: String?) {
            self.at = at
            self.kind = kind
            self.client = client
            self.reason = reason
        }
    }

    /// A client's measurements; on a round, their means weighted by samples.
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
        /// Whether the round also published a merge.
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
    /// `waiting` (only round 0), `collecting`, `aggregating`, `published` or `failed`.
    package var phase: String
    /// Why the round failed.
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
    /// How many updates must reach every rank component, and how many have.
    package var minCoverage: Int?
    package var coverage: Int?
    /// K of an asynchronous federation.
    package var buffer: Int?
    /// The selected clients that have not answered, the first hundred.
    package var awaited: [String]
    /// The first thousand, in ascending order of names.
    package var updates: [Update]
    /// The name of the last listed update if there are more; continue with `…/updates?after=`.
    package var updatesNext: String?
    /// The first thousand.
    package var refusals: [Refusal]
    /// The newest hundred, the oldest first.
    package var decisions: [Decision]
    package var metrics: Metrics
    package var adapter: Adapter?
    /// nil where clients do not evaluate it, or not yet.
    package var evaluation: Evaluation?
    /// Whether this is an entry of a list, without updates and refusals.
    package var isOutline = false

    enum CodingKeys: String, CodingKey {
        case federation, round, phase, reason, revision, strategy, selected, received, refused, updates, refusals
        case metrics, adapter, awaited, decisions, coverage, buffer, evaluation
        case updatesNext = "updates_next"
        case openedAt = "opened_at"
        case deadlineAt = "deadline_at"
        case closedAt = "closed_at"
        case minUpdates = "min_updates"
        case minCoverage = "min_coverage"
    }

    package init(
        federation: String, round: Int, phase: String, reason: String?, revision: Int64, strategy: String,
        openedAt: String?, deadlineAt: String?, closedAt: String?, selected: Int, received: Int, refused: Int,
        minUpdates: Int, minCoverage: Int? = nil, coverage: Int? = nil, buffer: Int? = nil, awaited: [String] = [],
        updates: [Update], updatesNext: String? = nil, refusals: [Refusal], decisions: [Decision] = [],
        metrics: Metrics, adapter: Adapter?
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
        self.minCoverage = minCoverage
        self.coverage = coverage
        self.buffer = buffer
        self.awaited = awaited
        self.updates = updates
        self.updatesNext = updatesNext
        self.refusals = refusals
        self.decisions = decisions
        self.metrics = metrics
        self.adapter = adapter
    }

    /// Whether the round no longer changes.
    package var hasEnded: Bool { phase == "published" || phase == "failed" }

    /// Earlier servers sent neither `awaited` nor `decisions`.
    package init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        federation = try values.decode(String.self, forKey: .federation)
        round = try values.decode(Int.self, forKey: .round)
        phase = try values.decode(String.self, forKey: .phase)
        reason = try values.decodeIfPresent(String.self, forKey: .reason)
        revision = try values.decode(Int64.self, forKey: .revision)
        strategy = try values.decode(String.self, forKey: .strategy)
        openedAt = try values.decodeIfPresent(String.self, forKey: .openedAt)
        deadlineAt = try values.decodeIfPresent(String.self, forKey: .deadlineAt)
        closedAt = try values.decodeIfPresent(String.self, forKey: .closedAt)
        selected = try values.decode(Int.self, forKey: .selected)
        received = try values.decode(Int.self, forKey: .received)
        refused = try values.decode(Int.self, forKey: .refused)
        minUpdates = try values.decode(Int.self, forKey: .minUpdates)
        minCoverage = try values.decodeIfPresent(Int.self, forKey: .minCoverage)
        coverage = try values.decodeIfPresent(Int.self, forKey: .coverage)
        buffer = try values.decodeIfPresent(Int.self, forKey: .buffer)
        awaited = try values.value(.awaited, default: [])
        updates = try values.value(.updates, default: [])
        updatesNext = try values.decodeIfPresent(String.self, forKey: .updatesNext)
        refusals = try values.value(.refusals, default: [])
        isOutline = !values.contains(.updates)
        decisions = try values.value(.decisions, default: [])
        metrics = try values.decode(Metrics.self, forKey: .metrics)
        adapter = try values.decodeIfPresent(Adapter.self, forKey: .adapter)
        evaluation = try values.decodeIfPresent(Evaluation.self, forKey: .evaluation)
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
        try values.encodeIfPresent(minCoverage, forKey: .minCoverage)
        try values.encodeIfPresent(coverage, forKey: .coverage)
        try values.encodeIfPresent(buffer, forKey: .buffer)
        try values.encode(awaited, forKey: .awaited)
        if !isOutline {
            try values.encode(updates, forKey: .updates)
            try values.encodeIfPresent(updatesNext, forKey: .updatesNext)
            try values.encode(refusals, forKey: .refusals)
        }
        try values.encode(decisions, forKey: .decisions)
        try values.encode(metrics, forKey: .metrics)
        try values.encode(adapter, forKey: .adapter)
        try values.encodeIfPresent(evaluation, forKey: .evaluation)
    }
}
