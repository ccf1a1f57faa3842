extension FederationDocument {
    /// Which rounds' adapters are kept.
    package struct Retention: Codable, Sendable, Hashable {
        package enum Adapters: Sendable, Hashable {
            /// A word; `all` is the only one.
            case named(String)
            case some(Some)
        }

        package struct Some: Codable, Sendable, Hashable {
            package var last: Int
            package var best: Bool
            package var every: Int?

            enum CodingKeys: String, CodingKey, CaseIterable { case last, best, every }

            package init(last: Int = 1, best: Bool = false, every: Int? = nil) {
                self.last = last
                self.best = best
                self.every = every
            }

            package init(from decoder: any Decoder) throws {
                let values = try decoder.knownKeys(CodingKeys.self)
                self.init(
                    last: try values.value(.last, default: 1), best: try values.value(.best, default: false),
                    every: try values.decodeIfPresent(Int.self, forKey: .every))
            }
        }

        package var adapters: Adapters

        enum CodingKeys: String, CodingKey, CaseIterable { case adapters }

        package init(adapters: Adapters = .named("all")) { self.adapters = adapters }

        package init(from decoder: any Decoder) throws {
            adapters = try decoder.knownKeys(CodingKeys.self).value(.adapters, default: .named("all"))
        }
    }
}

extension FederationDocument.Retention.Adapters: Codable {
    package init(from decoder: any Decoder) throws {
        if let name = try? decoder.singleValueContainer().decode(String.self) {
            self = .named(name)
        } else {
            self = .some(try FederationDocument.Retention.Some(from: decoder))
        }
    }

    package func encode(to encoder: any Encoder) throws {
        switch self {
        case .named(let name):
            var container = encoder.singleValueContainer()
            try container.encode(name)
        case .some(let some): try some.encode(to: encoder)
        }
    }
}
