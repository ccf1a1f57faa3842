/// The request for a new token: `POST …/tokens`.
package struct TokenRequestBody: Codable, Sendable, Hashable {
    /// `enrolment` or `reader`.
    package var role: String
    /// RFC 3339; null for never.
    package var expiresAt: String?
    /// How many clients an enrolment token may register; null for any number.
    package var uses: Int?

    enum CodingKeys: String, CodingKey, CaseIterable {
        case role, uses
        case expiresAt = "expires_at"
    }

    package init(role: String, expiresAt: String? = nil, uses: Int? = nil) {
        self.role = role
        self.expiresAt = expiresAt
        self.uses = uses
    }

    package init(from decoder: any Decoder) throws {
        let values = try decoder.knownKeys(CodingKeys.self)
        role = try values.decode(String.self, forKey: .role)
        expiresAt = try values.decodeIfPresent(String.self, forKey: .expiresAt)
        uses = try values.decodeIfPresent(Int.self, forKey: .uses)
    }
}

/// A token, in the answer to `GET …/tokens`. Times are RFC 3339 in UTC.
package struct TokenBody: Codable, Sendable, Hashable {
    package var id: String
    package var role: String
    package var createdAt: String
    package var expiresAt: String?
    /// Null where uses are not counted.
    package var usesLeft: Int?
    /// Only in the answer that created it.
    package var token: String?

    enum CodingKeys: String, CodingKey {
        case id, role, token
        case createdAt = "created_at"
        case expiresAt = "expires_at"
        case usesLeft = "uses_left"
    }

    package init(
        id: String, role: String, createdAt: String, expiresAt: String?, usesLeft: Int?, token: String? = nil
    ) {
        self.id = id
        self.role = role
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.usesLeft = usesLeft
        self.token = token
    }

    package func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(id, forKey: .id)
        try values.encode(role, forKey: .role)
        try values.encode(createdAt, forKey: .createdAt)
        try values.encode(expiresAt, forKey: .expiresAt)
        try values.encode(usesLeft, forKey: .usesLeft)
        try values.encodeIfPresent(token, forKey: .token)
    }
}
