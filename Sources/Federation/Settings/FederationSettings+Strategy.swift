extension FederationSettings {
    /// How updates become an adapter: a strategy's name and its parameters. Only the coordinator can check them.
    package struct Strategy: Sendable, Hashable {
        package var name: String
        /// nil for the strategy's own weighting.
        package var weighting: String?
        package var sum: Sum
        package var parameters: [String: Parameter]

        package init(
            name: String, weighting: String? = nil, sum: Sum = .float, parameters: [String: Parameter] = [:]
        ) {
            self.name = name
            self.weighting = weighting
            self.sum = sum
            self.parameters = parameters
        }
    }

    /// How a round's means are added up.
    package enum Sum: String, Sendable, Codable, CaseIterable {
        /// In float32, in the order of the clients' names.
        case float
        /// In fixed point: the same bytes for any tree of partial sums. Updates whose numbers are too large for it are
        /// refused.
        case exact
    }

    /// The value of a strategy's parameter.
    package enum Parameter: Sendable, Hashable {
        case number(Double)
        case flag(Bool)
        case null
    }

    /// How the server changes a round's mean before it publishes it.
    package struct Server: Sendable, Codable, Hashable {
        package var optimizer: String
        package var learningRate: Double

        package init(optimizer: String = "none", learningRate: Double = 1) {
            self.optimizer = optimizer
            self.learningRate = learningRate
        }
    }
}

extension FederationSettings {
    /// A robust rule's name and its parameters. Only the coordinator can check them.
    package struct Robust: Sendable, Codable, Hashable {
        package var rule: String
        package var parameters: [String: Parameter]

        package init(rule: String, parameters: [String: Parameter] = [:]) {
            self.rule = rule
            self.parameters = parameters
        }
    }
}

extension FederationSettings.Strategy: Codable {
    private enum CodingKeys: String, CodingKey { case name, weighting, sum, parameters }

    /// Settings from before strategies had parameters have none; from before there was a choice of sums, they are float.
    package init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            name: try values.decode(String.self, forKey: .name),
            weighting: try values.decodeIfPresent(String.self, forKey: .weighting),
            sum: try values.decodeIfPresent(FederationSettings.Sum.self, forKey: .sum) ?? .float,
            parameters: try values.decodeIfPresent([String: FederationSettings.Parameter].self, forKey: .parameters)
                ?? [:])
    }

    /// Leaves a float sum out, so that settings without a choice are stored as before.
    package func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(name, forKey: .name)
        try values.encodeIfPresent(weighting, forKey: .weighting)
        if sum != .float { try values.encode(sum, forKey: .sum) }
        try values.encode(parameters, forKey: .parameters)
    }
}

extension FederationSettings.Parameter: Codable {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let flag = try? container.decode(Bool.self) {
            self = .flag(flag)
        } else {
            self = .number(try container.decode(Double.self))
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .number(let value): try container.encode(value)
        case .flag(let value): try container.encode(value)
        case .null: try container.encodeNil()
        }
    }
}

extension FederationSettings {
    /// Settings from before server optimizers existed have none; from before there were regions, they are of no region.
    package init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            id: try values.decode(FederationID.self, forKey: .id),
            baseModel: try values.decode(BaseModel.self, forKey: .baseModel),
            adapter: try values.decode(Adapter.self, forKey: .adapter),
            strategy: try values.decode(Strategy.self, forKey: .strategy),
            server: try values.decodeIfPresent(Server.self, forKey: .server) ?? Server(),
            robust: try values.decodeIfPresent(Robust.self, forKey: .robust),
            policy: try values.decode(RoundPolicy.self, forKey: .policy),
            limits: try values.decode(Limits.self, forKey: .limits),
            retention: try values.decodeIfPresent(Retention.self, forKey: .retention),
            training: try values.decode(String.self, forKey: .training),
            seed: try values.decode(UInt64.self, forKey: .seed),
            upstream: try values.decodeIfPresent(Upstream.self, forKey: .upstream),
            evaluation: try values.decodeIfPresent(EvaluationPolicy.self, forKey: .evaluation))
    }
}
