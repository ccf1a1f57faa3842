/// What a machine needs to join a federation, as one file: `rankwise-admin kit` writes it, `rankwise-client join --kit`
/// reads it. It holds a secret, the enrolment token.
package struct JoinKit: Codable, Sendable, Hashable {
    /// The version of this form.
    package static let version = 1

    package var server: String
    package var federation: String
    /// The enrolment token.
    package var token: String
    /// By which the operator withdraws the token.
    package var tokenID: String?
    /// RFC 3339; null for never.
    package var expiresAt: String?
    /// How many clients the token may register; null for any number.
    package var uses: Int?
    /// The certificates (PEM) that the server's is signed by, instead of the system's.
    package var authority: String?
    /// The client's name, where the operator has chosen it.
    package var name: String?
    /// The rank where the machine's owner names none.
    package var defaultRank: Int?

    enum CodingKeys: String, CodingKey, CaseIterable {
        case version = "rankwise_kit"
        case server, federation, token, uses, name
        case tokenID = "token_id"
        case expiresAt = "expires_at"
        case authority = "ca"
        case defaultRank = "default_rank"
    }

    package init(
        server: String, federation: String, token: String, tokenID: String? = nil, expiresAt: String? = nil,
        uses: Int? = nil, authority: String? = nil, name: String? = nil, defaultRank: Int? = nil
    ) {
        self.server = server
        self.federation = federation
        self.token = token
        self.tokenID = tokenID
        self.expiresAt = expiresAt
        self.uses = uses
        self.authority = authority
        self.name = name
        self.defaultRank = defaultRank
    }

    /// A kit of another version is refused as such, before any of its keys.
    package init(from decoder: any Decoder) throws {
        let version = try decoder.container(keyedBy: CodingKeys.self).decode(Int.self, forKey: .version)
        guard version == Self.version else {
            throw WireError(path: "rankwise_kit", reason: "is \(version); this program reads version \(Self.version)")
        }
        let values = try decoder.knownKeys(CodingKeys.self)
        server = try values.decode(String.self, forKey: .server)
        federation = try values.decode(String.self, forKey: .federation)
        token = try values.decode(String.self, forKey: .token)
        tokenID = try values.decodeIfPresent(String.self, forKey: .tokenID)
        expiresAt = try values.decodeIfPresent(String.self, forKey: .expiresAt)
        uses = try values.decodeIfPresent(Int.self, forKey: .uses)
        authority = try values.decodeIfPresent(String.self, forKey: .authority)
        name = try values.decodeIfPresent(String.self, forKey: .name)
        defaultRank = try values.decodeIfPresent(Int.self, forKey: .defaultRank)
        for (key, name) in [("federation", federation), ("name", self.name)] {
            if let name, !WireName.isSound(name) {
                throw WireError(path: key, reason: "is '\(name.prefix(80))'; expected \(WireName.form)")
            }
        }
        guard !token.isEmpty, token.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw WireError(path: "token", reason: "holds characters that no token has, or none")
        }
        if let defaultRank, defaultRank < 1 {
            throw WireError(path: "default_rank", reason: "is \(defaultRank); expected at least 1")
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(Self.version, forKey: .version)
        try values.encode(server, forKey: .server)
        try values.encode(federation, forKey: .federation)
        try values.encode(token, forKey: .token)
        try values.encodeIfPresent(tokenID, forKey: .tokenID)
        try values.encode(expiresAt, forKey: .expiresAt)
        try values.encode(uses, forKey: .uses)
        try values.encodeIfPresent(authority, forKey: .authority)
        try values.encodeIfPresent(name, forKey: .name)
        try values.encodeIfPresent(defaultRank, forKey: .defaultRank)
    }
}
