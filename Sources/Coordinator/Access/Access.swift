package import Federation
import Synchronization

/// Authenticates calls and limits their rate. It keeps only the hashes of valid tokens.
package final class Access: Sendable {
    /// How callers are identified.
    package enum Mode: Sendable, Hashable {
        /// Every caller needs a token.
        ///
        /// - Parameters:
        ///   - admin: the hash of the admin's token.
        ///   - metrics: the hash of the token that may read the metrics and nothing else; nil where there is none.
        case tokens(admin: ContentDigest, metrics: ContentDigest? = nil)

        /// The holder of one of the server's own tokens, which belong to no federation.
        func holder(of hash: ContentDigest) -> Principal? {
            guard case .tokens(let admin, let metrics) = self else { return nil }
            if hash.matches(admin) { return .admin }
            if let metrics, hash.matches(metrics) { return .metrics }
            return nil
        }
        /// Every caller is admin. A client's own calls still carry its token.
        case none
    }

    let mode: Mode
    let clock: any WallClock
    private let allLimits: RateLimits
    let serverCount: @Sendable () -> Int
    let holders = Mutex(TokenHolders())
    private let addresses: Mutex<AddressThrottle>

    /// - Parameter serverCount: the number of servers among which callers are spread. Each one gives its part of a rate.
    package init(
        mode: Mode, clock: any WallClock, limits: RateLimits = .unlimited,
        serverCount: @escaping @Sendable () -> Int = { 1 }
    ) {
        self.mode = mode
        self.clock = clock
        allLimits = limits
        self.serverCount = serverCount
        addresses = Mutex(AddressThrottle(limits: limits))
    }

    /// This server's part of the limits.
    var limits: RateLimits { allLimits.divided(among: serverCount()) }

    /// The principal that the token stands for.
    ///
    /// Throws where nobody has the token, where its client was revoked, or where the caller calls too often.
    package func principal(bearer token: String?, from address: PeerAddress) throws(ServiceError) -> Principal {
        guard let token else {
            guard mode == .none else {
                try admitAnonymous(from: address)
                throw .unauthenticated
            }
            return .admin
        }
        let hash = Self.hash(token)
        if let owner = mode.holder(of: hash) { return owner }
        guard let (principal, isRevoked) = try holder(of: hash, from: address) else {
            guard mode == .none else {
                try refuse(throttled { $0.admitFailure(address, at: clock.now()) })
                throw .unauthenticated
            }
            return .admin
        }
        guard case .client(_, let name) = principal else {
            // Without authentication a token only says which client calls.
            return mode == .none ? .admin : principal
        }
        if isRevoked { throw .revoked(name) }
        return principal
    }

    /// Admits a call that needs no token; throws where its address calls too often.
    package func admitAnonymous(from address: PeerAddress) throws(ServiceError) {
        try refuse(throttled { $0.admit(address, at: clock.now()) })
    }

    private func throttled(_ work: (inout AddressThrottle) -> Double?) -> Double? {
        let limits = limits
        return addresses.withLock { addresses in
            addresses.limits = limits
            return work(&addresses)
        }
    }

    /// Looks a token up by its hash. A caller cannot choose a hash that is close to a stored one, so the time of the
    /// search reveals nothing about any token.
    private func holder(
        of hash: ContentDigest, from address: PeerAddress
    ) throws(ServiceError) -> (Principal, isRevoked: Bool)? {
        let now = clock.now()
        let isLimited = limits.holds(for: address)
        let (holder, wait) = holders.withLock { holders -> (TokenHolders.Holder?, Double?) in
            guard let holder = holders[hash], !holder.isExpired(at: now) else { return (nil, nil) }
            guard isLimited, let pace = limits.requests(of: holder.principal) else { return (holder, nil) }
            return (holder, holders.act(hash, at: now) { $0.requests.take(1, at: now, pace: pace) })
        }
        try refuse(wait)
        return holder.map { ($0.principal, $0.isRevoked) }
    }

    private func refuse(_ wait: Double?) throws(ServiceError) {
        guard let wait else { return }
        throw .tooManyRequests(retryAfter: max(1, Int(clamping: wait.rounded(.up))))
    }
}

/// Limits how many bytes clients send.
extension Access {
    /// The byte count that a body was charged before it arrived.
    package struct Upload: Sendable {
        fileprivate let hash: ContentDigest
        fileprivate let pace: TokenBucket.Pace
        fileprivate let byteCount: Double
    }

    /// Admits a body before any byte of it is read; nil where its sender has no limit.
    ///
    /// - Parameter byteCount: nil for a body of unknown length. It is charged a minute's allowance until it has
    ///   arrived.
    package func beginUpload(
        _ byteCount: Int?, bearer token: String?, from address: PeerAddress
    ) throws(ServiceError) -> Upload? {
        guard let token, limits.uploadBytesPerMinute > 0, limits.holds(for: address) else { return nil }
        let hash = Self.hash(token)
        let now = clock.now()
        let (upload, wait) = holders.withLock { holders -> (Upload?, Double?) in
            guard let principal = holders[hash]?.principal, let pace = limits.uploads(of: principal) else {
                return (nil, nil)
            }
            let upload = Upload(hash: hash, pace: pace, byteCount: byteCount.map(Double.init) ?? pace.capacity)
            return (upload, holders.act(hash, at: now) { $0.uploads.take(upload.byteCount, at: now, pace: pace) })
        }
        try refuse(wait)
        return upload
    }

    /// Replaces the charge by the number of bytes that arrived.
    package func endUpload(_ upload: Upload, byteCount: Int) {
        let now = clock.now()
        holders.withLock { holders in
            holders.act(upload.hash, at: now) {
                $0.uploads?.giveBack(upload.byteCount - Double(byteCount), pace: upload.pace)
            }
        }
    }
}

/// Called by the services when tokens change.
extension Access {
    /// Whether nobody except `principal` holds the token with this hash.
    func isFree(_ hash: ContentDigest, for principal: Principal) -> Bool {
        if mode.holder(of: hash) != nil { return false }
        return holders.withLock { $0[hash].map { $0.principal == principal } ?? true }
    }

    /// Makes a token valid. A known token keeps its state: revoked, and as close to its limits.
    func grant(_ principal: Principal, toTokenWithHash hash: ContentDigest, until expiresAt: Timestamp? = nil) {
        holders.withLock { holders in
            if holders[hash] == nil {
                holders[hash] = TokenHolders.Holder(principal: principal, expiresAt: expiresAt)
            }
        }
    }

    /// Makes a token valid that the server issued.
    func grant(_ token: IssuedToken, of federation: FederationID) {
        let principal: Principal =
            switch token.role {
            case .reader: .reader(federation)
            case .enrolment, .region: .enrolment(federation, token: token.id)
            }
        grant(principal, toTokenWithHash: token.hash, until: token.expiresAt)
    }

    /// Makes all issued tokens of a federation unknown, and ends the requests under way with them.
    func forget(tokensOf federation: FederationID) {
        for end in holders.withLock({ $0.remove { $0.principal.federation == federation } }) { end() }
    }

    /// Makes an issued token unknown, and ends the requests under way with it.
    func forget(tokenWithHash hash: ContentDigest) {
        for end in holders.withLock({ $0.remove(hash) }) { end() }
    }

    /// Marks a client's token as revoked, even for a registration that is about to end. Ends the requests under way
    /// with it.
    func revoke(_ principal: Principal, tokenWithHash hash: ContentDigest) {
        let ends = holders.withLock { holders in
            var holder = holders[hash] ?? TokenHolders.Holder(principal: principal)
            holder.isRevoked = true
            holders[hash] = holder
            return holders.ends(of: hash)
        }
        for end in ends { end() }
    }
}
