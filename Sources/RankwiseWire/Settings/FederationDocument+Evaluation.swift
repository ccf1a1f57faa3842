extension FederationDocument {
    /// How clients score published adapters on examples that they do not train on.
    package struct Evaluation: Codable, Sendable, Hashable {
        /// The metric by which rounds are compared.
        package struct Best: Codable, Sendable, Hashable {
            package var metric: String
            /// `max` or `min`.
            package var mode: String

            enum CodingKeys: String, CodingKey, CaseIterable { case metric, mode }

            package init(metric: String, mode: String = "max") {
                self.metric = metric
                self.mode = mode
            }

            package init(from decoder: any Decoder) throws {
                let values = try decoder.knownKeys(CodingKeys.self)
                self.init(
                    metric: try values.decode(String.self, forKey: .metric),
                    mode: try values.value(.mode, default: "max"))
            }
        }

        /// Lowers the server's learning rate where rounds no longer get better.
        package struct Plateau: Codable, Sendable, Hashable {
            package var patience: Int
            package var factor: Double

            enum CodingKeys: String, CodingKey, CaseIterable { case patience, factor }

            package init(patience: Int, factor: Double = 0.5) {
                self.patience = patience
                self.factor = factor
            }

            package init(from decoder: any Decoder) throws {
                let values = try decoder.knownKeys(CodingKeys.self)
                self.init(
                    patience: try values.decode(Int.self, forKey: .patience),
                    factor: try values.value(.factor, default: 0.5))
            }
        }

        package var every: Int
        package var fraction: Double
        package var holdout: Double
        package var deadlineSeconds: Double
        package var best: Best?
        package var patience: Int?
        package var plateau: Plateau?

        enum CodingKeys: String, CodingKey, CaseIterable {
            case every, fraction, holdout, best, patience, plateau
            case deadlineSeconds = "deadline_seconds"
        }

        package init(
            every: Int = 1, fraction: Double = 1, holdout: Double = 0.2, deadlineSeconds: Double = 60,
            best: Best? = nil, patience: Int? = nil, plateau: Plateau? = nil
        ) {
            self.every = every
            self.fraction = fraction
            self.holdout = holdout
            self.deadlineSeconds = deadlineSeconds
            self.best = best
            self.patience = patience
            self.plateau = plateau
        }

        package init(from decoder: any Decoder) throws {
            let values = try decoder.knownKeys(CodingKeys.self)
            self.init(
                every: try values.value(.every, default: 1), fraction: try values.value(.fraction, default: 1),
                holdout: try values.value(.holdout, default: 0.2),
                deadlineSeconds: try values.value(.deadlineSeconds, default: 60),
                best: try values.decodeIfPresent(Best.self, forKey: .best),
                patience: try values.decodeIfPresent(Int.self, forKey: .patience),
                plateau: try values.decodeIfPresent(Plateau.self, forKey: .plateau))
        }
    }
}
