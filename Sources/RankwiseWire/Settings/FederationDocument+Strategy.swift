extension FederationDocument {
    /// How updates become an adapter; the strategy's own parameters stand beside `name`, `weighting` and `sum`.
    package struct Strategy: Sendable, Hashable {
        package var name: String
        /// Nil for the strategy's default.
        package var weighting: String?
        /// `float` or `exact`: how means are added up.
        package var sum: String
        /// Numbers, booleans and nulls, with the strategy's own names.
        package var parameters: [String: JSONValue]

        package init(
            name: String = "rbla", weighting: String? = nil, sum: String = "float",
            parameters: [String: JSONValue] = [:]
        ) {
            self.name = name
            self.weighting = weighting
            self.sum = sum
            self.parameters = parameters
        }
    }

    /// What the server does with a round's mean before it publishes it.
    package struct Server: Codable, Sendable, Hashable {
        /// `none`, `momentum` or `adam`.
        package var optimizer: String
        package var learningRate: Double

        enum CodingKeys: String, CodingKey, CaseIterable {
            case optimizer
            case learningRate = "learning_rate"
        }

        package init(optimizer: String = "none", learningRate: Double = 1) {
            self.optimizer = optimizer
            self.learningRate = learningRate
        }

        package init(from decoder: any Decoder) throws {
            let values = try decoder.knownKeys(CodingKeys.self)
            optimizer = try values.value(.optimizer, default: "none")
            learningRate = try values.value(.learningRate, default: 1)
        }
    }
}

extension FederationDocument {
    /// What withstands wrong or hostile updates; the rule's own parameters stand beside `rule`.
    package struct Robust: Sendable, Hashable {
        package var rule: String
        /// Numbers and nulls, with the rule's own names.
        package var parameters: [String: JSONValue]

        package init(rule: String, parameters: [String: JSONValue] = [:]) {
            self.rule = rule
            self.parameters = parameters
        }
    }
}

extension FederationDocument.Robust: Codable {
    /// Only a rule knows its parameters, so this accepts every key, and the server refuses unknown ones by name.
    package init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: AnyKey.self)
        self.init(rule: try values.decode(String.self, forKey: AnyKey(stringValue: "rule")))
        for key in values.allKeys where key.stringValue != "rule" {
            parameters[key.stringValue] = try values.decode(JSONValue.self, forKey: key)
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: AnyKey.self)
        try values.encode(rule, forKey: AnyKey(stringValue: "rule"))
        for (name, value) in parameters { try values.encode(value, forKey: AnyKey(stringValue: name)) }
    }
}

extension FederationDocument.Strategy: Codable {
    /// Only a strategy knows its parameters, so this accepts every key, and the server refuses unknown ones by name.
    package init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: AnyKey.self)
        self.init()
        for key in values.allKeys {
            switch key.stringValue {
            case "name": name = try values.decode(String.self, forKey: key)
            case "weighting": weighting = try values.decodeIfPresent(String.self, forKey: key)
            case "sum": sum = try values.decodeIfPresent(String.self, forKey: key) ?? "float"
            default: parameters[key.stringValue] = try values.decode(JSONValue.self, forKey: key)
            }
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: AnyKey.self)
        try values.encode(name, forKey: AnyKey(stringValue: "name"))
        try values.encode(weighting, forKey: AnyKey(stringValue: "weighting"))
        try values.encode(sum, forKey: AnyKey(stringValue: "sum"))
        for (name, value) in parameters { try values.encode(value, forKey: AnyKey(stringValue: name)) }
    }
}
