/// An agent's identity on a server, kept over restarts.
package struct AgentIdentity: Codable, Sendable, Hashable {
    package var server: String
    package var federation: String
    package var client: String
    /// Authenticates this client to the server; made here, never shown.
    package var token: String
    /// The rank that the server knows; nil until it confirmed the registration.
    package var registeredRank: Int?
    /// Whether the server knows that this client evaluates; nil where an earlier version registered it.
    package var evaluates: Bool?
    /// Distinguishes a federation from a later one with the same name, whose rounds start again.
    package var federationCreatedAt: String?

    enum CodingKeys: String, CodingKey {
        case server, federation, client, token, evaluates
        case registeredRank = "registered_rank"
        case federationCreatedAt = "federation_created_at"
    }

    /// A new identity with a token of 32 random bytes.
    package init(server: String, federation: String, client: String) {
        self.server = server
        self.federation = federation
        self.client = client
        // On Linux this generator uses getrandom, which is suitable for secrets.
        var generator = SystemRandomNumberGenerator()
        let digits = Array("0123456789abcdef")
        token = String((0..<64).map { _ in digits[Int(generator.next(upperBound: UInt8(16)))] })
    }
}
