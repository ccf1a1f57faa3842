/// The figures of many rounds, to draw curves of: `GET …/curves`.
package struct CurvesBody: Codable, Sendable, Hashable {
    /// The smallest, the middle and the largest of some numbers.
    package struct Range: Codable, Sendable, Hashable {
        package var low: Double
        package var median: Double
        package var high: Double

        package init(low: Double, median: Double, high: Double) {
            self.low = low
            self.median = median
            self.high = high
        }
    }

    package struct Round: Codable, Sendable, Hashable {
        package var round: Int
        /// As in `RoundBody`.
        package var phase: String
        package var openedAt: String
        package var closedAt: String?
        /// From its opening to its close; absent while it collects.
        package var seconds: Double?
        package var selected: Int
        package var received: Int
        package var refused: Int
        /// Means of what clients measured, weighted by samples.
        package var loss: Double?
        package var accuracy: Double?
        /// The total length of the updates; absent in rounds that ended before the server counted it.
        package var updateBytes: Int?
        /// The length of the published adapter at the federation's maximum ranks.
        package var adapterBytes: Int?
        /// How many updates that count have each rank; absent as `updateBytes`.
        package var ranks: [String: Int]?
        /// The norms of the updates that count, where the federation measures them.
        package var norms: Range?
        /// The means that evaluations by clients found, by metric; absent where there is none.
        package var evaluated: [String: Double]?

        enum CodingKeys: String, CodingKey {
            case round, phase, seconds, selected, received, refused, loss, accuracy, ranks, norms, evaluated
            case openedAt = "opened_at"
            case closedAt = "closed_at"
            case updateBytes = "update_bytes"
            case adapterBytes = "adapter_bytes"
        }

        package init(
            round: Int, phase: String, openedAt: String, closedAt: String?, seconds: Double?, selected: Int,
            received: Int, refused: Int, loss: Double?, accuracy: Double?, updateBytes: Int?, adapterBytes: Int?,
            ranks: [String: Int]?, norms: Range?
        ) {
            self.round = round
            self.phase = phase
            self.openedAt = openedAt
            self.closedAt = closedAt
            self.seconds = seconds
            self.selected = selected
            self.received = received
            self.refused = refused
            self.loss = loss
            self.accuracy = accuracy
            self.updateBytes = updateBytes
            self.adapterBytes = adapterBytes
            self.ranks = ranks
            self.norms = norms
        }
    }

    /// The newest first.
    package var rounds: [Round]

    package init(_ rounds: [Round]) { self.rounds = rounds }
}

/// How many updates reach each rank component of every module: `GET …/rounds/{t}/coverage`.
package struct CoverageBody: Codable, Sendable, Hashable {
    /// Components in a row that the same number of updates reach.
    package struct Step: Codable, Sendable, Hashable {
        /// The last component of the step, from 1.
        package var through: Int
        package var updates: Int

        package init(through: Int, updates: Int) {
            self.through = through
            self.updates = updates
        }
    }

    package struct Module: Codable, Sendable, Hashable {
        package var maxRank: Int
        /// From the first component to the last.
        package var steps: [Step]

        enum CodingKeys: String, CodingKey {
            case steps
            case maxRank = "max_rank"
        }

        package init(maxRank: Int, steps: [Step]) {
            self.maxRank = maxRank
            self.steps = steps
        }
    }

    package var round: Int
    /// How many updates count.
    package var updates: Int
    package var modules: [String: Module]

    package init(round: Int, updates: Int, modules: [String: Module]) {
        self.round = round
        self.updates = updates
        self.modules = modules
    }
}
