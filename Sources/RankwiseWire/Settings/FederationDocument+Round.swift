extension FederationDocument {
    /// When a round opens, whom it selects, and when it closes.
    package struct Round: Codable, Sendable, Hashable {
        package var total: Int
        package var minClients: Int
        package var minUpdates: Int
        package var targetUpdates: Int?
        package var deadlineSeconds: Double
        /// `extend` or `abandon`.
        package var onMissedQuorum: String
        package var selection: Selection
        package var seenSeconds: Double
        /// How many updates must reach every rank component of every module before a round closes.
        package var minCoverage: Int?
        /// Makes the federation asynchronous: this many updates make a version.
        package var buffer: Int?
        /// a in the discount 1/(1+τ)^a of an update that started τ versions ago; 0.5 where there is a buffer.
        package var stalenessExponent: Double?
        /// The largest accepted τ; 10 where there is a buffer.
        package var maxStaleness: Int?

        enum CodingKeys: String, CodingKey, CaseIterable {
            case total, selection, buffer
            case minClients = "min_clients"
            case minUpdates = "min_updates"
            case targetUpdates = "target_updates"
            case deadlineSeconds = "deadline_seconds"
            case onMissedQuorum = "on_missed_quorum"
            case seenSeconds = "seen_seconds"
            case minCoverage = "min_coverage"
            case stalenessExponent = "staleness_exponent"
            case maxStaleness = "max_staleness"
        }

        package init(
            total: Int = 20, minClients: Int? = nil, minUpdates: Int = 1, targetUpdates: Int? = nil,
            deadlineSeconds: Double = 600, onMissedQuorum: String = "extend", selection: Selection = Selection(),
            seenSeconds: Double = 120, minCoverage: Int? = nil, buffer: Int? = nil, stalenessExponent: Double? = nil,
            maxStaleness: Int? = nil
        ) {
            self.total = total
            self.minClients = minClients ?? minUpdates
            self.minUpdates = minUpdates
            self.targetUpdates = targetUpdates
            self.deadlineSeconds = deadlineSeconds
            self.onMissedQuorum = onMissedQuorum
            self.selection = selection
            self.seenSeconds = seenSeconds
            self.minCoverage = minCoverage
            self.buffer = buffer
            self.stalenessExponent = stalenessExponent
            self.maxStaleness = maxStaleness
        }

        package init(from decoder: any Decoder) throws {
            let values = try decoder.knownKeys(CodingKeys.self)
            self.init(
                total: try values.value(.total, default: 20),
                minClients: try values.decodeIfPresent(Int.self, forKey: .minClients),
                minUpdates: try values.value(.minUpdates, default: 1),
                targetUpdates: try values.decodeIfPresent(Int.self, forKey: .targetUpdates),
                deadlineSeconds: try values.value(.deadlineSeconds, default: 600),
                onMissedQuorum: try values.value(.onMissedQuorum, default: "extend"),
                selection: try values.value(.selection, default: Selection()),
                seenSeconds: try values.value(.seenSeconds, default: 120),
                minCoverage: try values.decodeIfPresent(Int.self, forKey: .minCoverage),
                buffer: try values.decodeIfPresent(Int.self, forKey: .buffer),
                stalenessExponent: try values.decodeIfPresent(Double.self, forKey: .stalenessExponent),
                maxStaleness: try values.decodeIfPresent(Int.self, forKey: .maxStaleness)
            )
        }
    }

    /// Selection by `count`, or else by `fraction`, of the clients seen lately; `over` selects this share more.
    package struct Selection: Codable, Sendable, Hashable {
        package var fraction: Double
        package var over: Double
        package var count: Int?
        /// `uniform`, `samples` or `least_recent`.
        package var policy: String

        enum CodingKeys: String, CodingKey, CaseIterable { case fraction, over, count, policy }

        package init(fraction: Double = 1, over: Double = 0, count: Int? = nil, policy: String = "uniform") {
            self.fraction = fraction
            self.over = over
            self.count = count
            self.policy = policy
        }

        package init(from decoder: any Decoder) throws {
            let values = try decoder.knownKeys(CodingKeys.self)
            fraction = try values.value(.fraction, default: 1)
            over = try values.value(.over, default: 0)
            count = try values.decodeIfPresent(Int.self, forKey: .count)
            policy = try values.value(.policy, default: "uniform")
        }
    }

    /// Bounds on what clients may send.
    package struct Limits: Codable, Sendable, Hashable {
        package var maxClients: Int
        package var maxSamples: Int
        package var maxNorm: Double?
        package var maxNormOverMedian: Double?
        /// Written as null to turn it off; a missing key means 30.
        package var maxFactorOverMedian: Double?

        enum CodingKeys: String, CodingKey, CaseIterable {
            case maxClients = "max_clients"
            case maxSamples = "max_samples"
            case maxNorm = "max_norm"
            case maxNormOverMedian = "max_norm_over_median"
            case maxFactorOverMedian = "max_factor_over_median"
        }

        package init(
            maxClients: Int = 10_000, maxSamples: Int = 1_000_000, maxNorm: Double? = nil,
            maxNormOverMedian: Double? = nil, maxFactorOverMedian: Double? = 30
        ) {
            self.maxClients = maxClients
            self.maxSamples = maxSamples
            self.maxNorm = maxNorm
            self.maxNormOverMedian = maxNormOverMedian
            self.maxFactorOverMedian = maxFactorOverMedian
        }

        package init(from decoder: any Decoder) throws {
            let values = try decoder.knownKeys(CodingKeys.self)
            maxClients = try values.value(.maxClients, default: 10_000)
            maxSamples = try values.value(.maxSamples, default: 1_000_000)
            maxNorm = try values.decodeIfPresent(Double.self, forKey: .maxNorm)
            maxNormOverMedian = try values.decodeIfPresent(Double.self, forKey: .maxNormOverMedian)
            maxFactorOverMedian =
                values.contains(.maxFactorOverMedian)
                ? try values.decodeIfPresent(Double.self, forKey: .maxFactorOverMedian) : 30
        }

        package func encode(to encoder: any Encoder) throws {
            var values = encoder.container(keyedBy: CodingKeys.self)
            try values.encode(maxClients, forKey: .maxClients)
            try values.encode(maxSamples, forKey: .maxSamples)
            try values.encodeIfPresent(maxNorm, forKey: .maxNorm)
            try values.encodeIfPresent(maxNormOverMedian, forKey: .maxNormOverMedian)
            try values.encode(maxFactorOverMedian, forKey: .maxFactorOverMedian)
        }
    }
}
