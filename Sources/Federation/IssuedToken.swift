/// A bearer token that the server issued for a federation, known by its hash.
package struct IssuedToken: Sendable, Hashable {
    package enum Role: String, Sendable, Codable, CaseIterable {
        /// Registers clients.
        case enrolment
        case reader
        /// Registers regions, whose clients' updates the server never sees by themselves.
        case region

        /// Whether it registers anybody.
        package var registers: Bool { self != .reader }
    }

    package let id: String
    package let role: Role
    package let hash: ContentDigest
    package let createdAt: Timestamp
    package let expiresAt: Timestamp?
    /// The number of clients that it may still register; nil for any number.
    package internal(set) var usesLeft: Int?

    package init(
        id: String, role: Role, hash: ContentDigest, createdAt: Timestamp, expiresAt: Timestamp? = nil,
        usesLeft: Int? = nil
    ) {
        self.id = id
        self.role = role
        self.hash = hash
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.usesLeft = usesLeft
    }

    package func isExpired(at now: Timestamp) -> Bool { expiresAt.map { now >= $0 } ?? false }
}

/// Why a token cannot be issued or withdrawn.
package enum TokenError: Error, Sendable, Hashable {
    case unknown(id: String)
    /// The federation has reached its limit of tokens.
    case full(limit: Int)
}
