/// What a client found when it scored a round's adapter: the body of `PUT …/rounds/{t}/evaluation`.
package struct EvaluationBody: Codable, Sendable, Hashable {
    /// How many held-out examples it scored; 0 where it has none, and then there are no metrics.
    package var samples: Int
    package var metrics: [String: Double]

    enum CodingKeys: String, CodingKey, CaseIterable { case samples, metrics }

    package init(samples: Int, metrics: [String: Double]) {
        self.samples = samples
        self.metrics = metrics
    }

    package init(from decoder: any Decoder) throws {
        let values = try decoder.knownKeys(CodingKeys.self)
        samples = try values.decode(Int.self, forKey: .samples)
        metrics = try values.value(.metrics, default: [:])
    }
}

/// The answer to it.
package struct EvaluationReceiptBody: Codable, Sendable, Hashable {
    package var round: Int
    /// How many clients have answered with metrics by now.
    package var received: Int

    package init(round: Int, received: Int) {
        self.round = round
        self.received = received
    }
}

/// Some of the clients of an evaluation: the answer to `GET …/rounds/{t}/evaluations`.
package struct EvaluationsBody: Codable, Sendable, Hashable {
    package struct Client: Codable, Sendable, Hashable {
        package var client: String
        /// `awaited`, `answered`, `without_data`, `left`, or `missed` after the end.
        package var state: String
        /// The client's rank when it was asked.
        package var rank: Int
        package var samples: Int?
        package var metrics: [String: Double]?
        package var receivedAt: String?
        /// Why its first answer was refused that could not be taken.
        package var refusal: String?

        enum CodingKeys: String, CodingKey {
            case client, state, rank, samples, metrics, refusal
            case receivedAt = "received_at"
        }

        package init(
            client: String, state: String, rank: Int, samples: Int?, metrics: [String: Double]?, receivedAt: String?,
            refusal: String?
        ) {
            self.client = client
            self.state = state
            self.rank = rank
            self.samples = samples
            self.metrics = metrics
            self.receivedAt = receivedAt
            self.refusal = refusal
        }
    }

    package var evaluations: [Client]
    /// The name of the last listed client if there are more; pass it as `after`.
    package var next: String?

    package init(evaluations: [Client], next: String?) {
        self.evaluations = evaluations
        self.next = next
    }
}

extension RoundBody {
    /// The evaluation of the round's adapter by clients.
    package struct Evaluation: Codable, Sendable, Hashable {
        package struct Metric: Codable, Sendable, Hashable {
            package var clients: Int
            /// Weighted by samples.
            package var mean: Double
            package var median: Double
            /// The mean of the worst tenth of the clients.
            package var worstDecile: Double
            /// By the clients' rank.
            package var byRank: [String: Class]

            enum CodingKeys: String, CodingKey {
                case clients, mean, median
                case worstDecile = "worst_decile"
                case byRank = "by_rank"
            }

            package init(clients: Int, mean: Double, median: Double, worstDecile: Double, byRank: [String: Class]) {
                self.clients = clients
                self.mean = mean
                self.median = median
                self.worstDecile = worstDecile
                self.byRank = byRank
            }
        }

        /// The clients of one rank.
        package struct Class: Codable, Sendable, Hashable {
            package var clients: Int
            package var samples: Int
            package var mean: Double
            package var worst: Double

            package init(clients: Int, samples: Int, mean: Double, worst: Double) {
                self.clients = clients
                self.samples = samples
                self.mean = mean
                self.worst = worst
            }
        }

        /// `open` or `closed`.
        package var state: String
        package var openedAt: String
        package var deadlineAt: String
        package var closedAt: String?
        package var selected: Int
        package var received: Int
        package var withoutData: Int
        /// How many clients have sent an answer that could not be taken.
        package var refused: Int
        package var samples: Int
        /// Empty while it is open.
        package var metrics: [String: Metric]

        enum CodingKeys: String, CodingKey {
            case state, selected, received, refused, samples, metrics
            case openedAt = "opened_at"
            case deadlineAt = "deadline_at"
            case closedAt = "closed_at"
            case withoutData = "without_data"
        }

        package init(
            state: String, openedAt: String, deadlineAt: String, closedAt: String?, selected: Int, received: Int,
            withoutData: Int, refused: Int, samples: Int, metrics: [String: Metric]
        ) {
            self.state = state
            self.openedAt = openedAt
            self.deadlineAt = deadlineAt
            self.closedAt = closedAt
            self.selected = selected
            self.received = received
            self.withoutData = withoutData
            self.refused = refused
            self.samples = samples
            self.metrics = metrics
        }
    }
}

extension FederationBody {
    /// What the evaluations so far have led to.
    package struct Standing: Codable, Sendable, Hashable {
        package struct Best: Codable, Sendable, Hashable {
            package var round: Int
            package var metric: String
            package var value: Double

            package init(round: Int, metric: String, value: Double) {
                self.round = round
                self.metric = metric
                self.value = value
            }
        }

        package var best: Best?
        package var roundsWithoutImprovement: Int
        /// The server's learning rate for the next sum.
        package var learningRate: Double
        /// Why the federation ended early.
        package var stoppedFor: String?

        enum CodingKeys: String, CodingKey {
            case best
            case roundsWithoutImprovement = "rounds_without_improvement"
            case learningRate = "learning_rate"
            case stoppedFor = "stopped_for"
        }

        package init(best: Best?, roundsWithoutImprovement: Int, learningRate: Double, stoppedFor: String?) {
            self.best = best
            self.roundsWithoutImprovement = roundsWithoutImprovement
            self.learningRate = learningRate
            self.stoppedFor = stoppedFor
        }
    }
}

extension PlanBody {
    /// Asks the client to score the adapter of the plan on examples that it does not train on.
    package struct Evaluate: Codable, Sendable, Hashable {
        /// The round that published the adapter.
        package var round: Int
        package var deadlineAt: String
        /// The path on the server to PUT the answer to.
        package var href: String

        enum CodingKeys: String, CodingKey {
            case round, href
            case deadlineAt = "deadline_at"
        }

        package init(round: Int, deadlineAt: String, href: String) {
            self.round = round
            self.deadlineAt = deadlineAt
            self.href = href
        }
    }
}
