/// The registration of a client: `PUT …/clients/{c}`.
package struct RegistrationBody: Codable, Sendable, Hashable {
    package var rank: Int
    /// 32 random bytes that the client made itself, in base64url or hexadecimal.
    package var token: String
    /// Chosen by the client: processor, memory, trainer; kept for the operator.
    package var capabilities: [String: JSONValue]

    enum CodingKeys: String, CodingKey, CaseIterable { case rank, token, capabilities }

    package init(rank: Int, token: String, capabilities: [String: JSONValue] = [:]) {
        self.rank = rank
        self.token = token
        self.capabilities = capabilities
    }

    package init(from decoder: any Decoder) throws {
        let values = try decoder.knownKeys(CodingKeys.self)
        rank = try values.decode(Int.self, forKey: .rank)
        token = try values.decode(String.self, forKey: .token)
        capabilities = try values.value(.capabilities, default: [:])
    }
}

/// A registered client. Registration answers `name`, and the granted `rank` and `ranks`; the rest is for operators.
package struct ClientBody: Codable, Sendable, Hashable {
    package var name: String
    package var rank: Int
    package var ranks: [String: Int]
    package var registeredAt: String
    package var lastSeenAt: String
    package var revoked: Bool
    package var capabilities: [String: JSONValue]

    enum CodingKeys: String, CodingKey {
        case name, rank, ranks, revoked, capabilities
        case registeredAt = "registered_at"
        case lastSeenAt = "last_seen_at"
    }

    package init(
        name: String, rank: Int, ranks: [String: Int], registeredAt: String, lastSeenAt: String, revoked: Bool,
        capabilities: [String: JSONValue]
    ) {
        self.name = name
        self.rank = rank
        self.ranks = ranks
        self.registeredAt = registeredAt
        self.lastSeenAt = lastSeenAt
        self.revoked = revoked
        self.capabilities = capabilities
    }
}

/// The server's receipt for an update: `PUT` and `GET …/rounds/{t}/update`.
package struct ReceiptBody: Codable, Sendable, Hashable {
    package var digest: String
    package var rank: Int
    package var samples: Int
    /// The number of updates in the round now.
    package var received: Int

    package init(digest: String, rank: Int, samples: Int, received: Int) {
        self.digest = digest
        self.rank = rank
        self.samples = samples
        self.received = received
    }
}
