import Crypto
package import Federation
import Synchronization

/// Whom a bearer token stands for.
package enum Principal: Sendable, Hashable {
    case admin
    case reader(FederationID)
    /// With the id of its token.
    case enrolment(FederationID, token: String)
    case client(FederationID, ClientName)
}

/// Who calls: knows the hash of every token in force, and no token itself.
package final class Access: Sendable {
    package enum Mode: Sendable, Hashable {
        /// Everybody proves who they are; the admin's token hashes to this.
        case tokens(admin: ContentDigest)
        /// Everybody is admin, but a client's own calls still carry its token.
        case none
    }

    private let mode: Mode
    private let clock: any WallClock
    private let holders = Mutex<[ContentDigest: Holder]>([:])

    private struct Holder {
        let principal: Principal
        let expiresAt: Instant?
        var isRevoked = false

        func isExpired(at now: Instant) -> Bool { expiresAt.map { now >= $0 } ?? false }
    }

    package init(mode: Mode, clock: any WallClock) {
        self.mode = mode
        self.clock = clock
    }

    /// SHA-256 of a token's text.
    package static func hash(_ token: String) -> ContentDigest {
        guard let digest = ContentDigest(bytes: Array(SHA256.hash(data: Array(token.utf8)))) else {
            preconditionFailure("SHA-256 has 32 bytes")
        }
        return digest
    }

    /// Whom the token stands for; throws for a client that was revoked.
    package func principal(bearer token: String?) throws(ServiceError) -> Principal {
        guard let token else {
            guard mode == .none else { throw .unauthenticated }
            return .admin
        }
        let hash = Self.hash(token)
        if case .tokens(let admin) = mode, hash.matches(admin) { return .admin }
        // Found by its hash, which no caller can steer towards one that is stored: how long the search takes tells
        // nothing of any token.
        let holder = holders.withLock { $0[hash] }.flatMap { $0.isExpired(at: clock.now()) ? nil : $0 }
        if let holder, holder.isRevoked, case .client(_, let name) = holder.principal { throw .revoked(name) }
        switch (mode, holder?.principal) {
        case (.tokens, let principal?): return principal
        case (.tokens, nil): throw .unauthenticated
        // Without authentication a token only says which client calls.
        case (.none, .client(let federation, let name)?): return .client(federation, name)
        case (.none, _): return .admin
        }
    }

    /// A new token: 256 random bits in base64url.
    package static func makeToken() -> String {
        var generator = SystemRandomNumberGenerator()
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
        return String(
            decoding: (0..<43).map { _ in alphabet[Int(generator.next(upperBound: UInt64(64)))] }, as: UTF8.self)
    }

    /// Whether the text can be a client's token: 32 bytes in hexadecimal or base64url.
    static func isClientToken(_ text: String) -> Bool {
        let isHexadecimal = text.utf8.count == 64 && text.utf8.allSatisfy { Character(UnicodeScalar($0)).isHexDigit }
        let isBase64 = (43...44).contains(text.utf8.count) && text.utf8.allSatisfy(isBase64URL)
        return isHexadecimal || isBase64
    }

    private static func isBase64URL(_ byte: UInt8) -> Bool {
        let character = Character(UnicodeScalar(byte))
        return character.isASCII && (character.isLetter || character.isNumber || "-_=".contains(character))
    }

    /// Whether no other than `principal` holds the token with this hash.
    func isFree(_ hash: ContentDigest, for principal: Principal) -> Bool {
        if case .tokens(let admin) = mode, hash.matches(admin) { return false }
        return holders.withLock { $0[hash].map { $0.principal == principal } ?? true }
    }

    func grant(_ principal: Principal, toTokenWithHash hash: ContentDigest, until expiresAt: Instant? = nil) {
        holders.withLock { $0[hash] = Holder(principal: principal, expiresAt: expiresAt) }
    }

    /// Lets in whoever holds a token that the server issued.
    func grant(_ token: IssuedToken, of federation: FederationID) {
        let principal: Principal =
            switch token.role {
            case .reader: .reader(federation)
            case .enrolment: .enrolment(federation, token: token.id)
            }
        grant(principal, toTokenWithHash: token.hash, until: token.expiresAt)
    }

    /// From now on nobody issued the token.
    func forget(tokenWithHash hash: ContentDigest) {
        _ = holders.withLock { $0.removeValue(forKey: hash) }
    }

    /// From now on the token is known as one that is good no more.
    func revoke(tokenWithHash hash: ContentDigest) {
        holders.withLock { $0[hash]?.isRevoked = true }
    }
}

extension Principal {
    /// May read the federation: its reader, its clients and the admin.
    package func requireReader(of federation: FederationID) throws(ServiceError) {
        switch self {
        case .admin, .reader(federation), .client(federation, _): return
        case .reader, .client, .enrolment: throw .forbidden
        }
    }

    package func requireAdmin() throws(ServiceError) {
        guard self == .admin else { throw .forbidden }
    }

    /// May read some federation.
    package func requireAnyReader() throws(ServiceError) {
        if case .enrolment = self { throw .forbidden }
    }

    /// May register clients: answers the id of the token that lets them in, none for the admin.
    package func requireEnrolment(in federation: FederationID) throws(ServiceError) -> String? {
        switch self {
        case .admin: return nil
        case .enrolment(federation, let token): return token
        case .reader, .client, .enrolment: throw .forbidden
        }
    }

    /// The client of this federation that calls.
    package func requireClient(of federation: FederationID) throws(ServiceError) -> ClientName {
        guard case .client(federation, let name) = self else { throw .forbidden }
        return name
    }
}
