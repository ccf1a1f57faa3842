package import Federation
import Synchronization

/// Who calls, and how often they may: knows the hash of every token in force, and no token itself.
package final class Access: Sendable {
    package enum Mode: Sendable, Hashable {
        /// Everybody proves who they are; the admin's token hashes to this.
        case tokens(admin: ContentDigest)
        /// Everybody is admin, but a client's own calls still carry its token.
        case none
    }

    let mode: Mode
    private let clock: any WallClock
    let limits: RateLimits
    let holders = Mutex<[ContentDigest: Holder]>([:])
    private let addresses: Mutex<AddressThrottle>

    struct Holder: Sendable {
        let principal: Principal
        var expiresAt: Timestamp?
        var isRevoked = false
        var requests: TokenBucket?
        var uploads: TokenBucket?
        var underWay = RequestsUnderWay()

        func isExpired(at now: Timestamp) -> Bool { expiresAt.map { now >= $0 } ?? false }
    }

    package init(mode: Mode, clock: any WallClock, limits: RateLimits = .unlimited) {
        self.mode = mode
        self.clock = clock
        self.limits = limits
        addresses = Mutex(AddressThrottle(limits: limits))
    }

    /// Whom the token stands for; throws for nobody's, for a client that was revoked, and for who calls too often.
    package func principal(bearer token: String?, from address: PeerAddress) throws(ServiceError) -> Principal {
        guard let token else {
            guard mode == .none else {
                try admitAnonymous(from: address)
                throw .unauthenticated
            }
            return .admin
        }
        let hash = Self.hash(token)
        if case .tokens(let admin) = mode, hash.matches(admin) { return .admin }
        guard let (principal, isRevoked) = try holder(of: hash, from: address) else {
            guard mode == .none else {
                try refuse(addresses.withLock { $0.admitFailure(address, at: clock.now()) })
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

    /// Lets a call be answered that needs no token, unless its address calls too often.
    package func admitAnonymous(from address: PeerAddress) throws(ServiceError) {
        try refuse(addresses.withLock { $0.admit(address, at: clock.now()) })
    }

    /// Found by its hash, which no caller can steer towards one that is stored: how long the search takes tells nothing
    /// of any token.
    private func holder(
        of hash: ContentDigest, from address: PeerAddress
    ) throws(ServiceError) -> (Principal, isRevoked: Bool)? {
        let now = clock.now()
        let isLimited = limits.holds(for: address)
        let (holder, wait) = holders.withLock { holders -> (Holder?, Double?) in
            guard let holder = holders[hash], !holder.isExpired(at: now) else { return (nil, nil) }
            guard isLimited, let pace = limits.requests(of: holder.principal) else { return (holder, nil) }
            let wait = holders[hash]?.requests.take(1, at: now, pace: pace)
            return (holder, wait)
        }
        try refuse(wait)
        return holder.map { ($0.principal, $0.isRevoked) }
    }

    private func refuse(_ wait: Double?) throws(ServiceError) {
        guard let wait else { return }
        throw .tooManyRequests(retryAfter: max(1, Int(clamping: wait.rounded(.up))))
    }
}

/// How much clients send.
extension Access {
    /// What a body was reckoned at before it came.
    package struct Upload: Sendable {
        fileprivate let hash: ContentDigest
        fileprivate let pace: TokenBucket.Pace
        fileprivate let byteCount: Double
    }

    /// Admits a body before a byte of it was read; nil where nothing limits its sender.
    ///
    /// - Parameter byteCount: nil for a body that does not tell its length, which counts as a minute's worth until it
    ///   has come.
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
            let wait = holders[hash]?.uploads.take(upload.byteCount, at: now, pace: pace)
            return (upload, wait)
        }
        try refuse(wait)
        return upload
    }

    /// Counts what really came.
    package func endUpload(_ upload: Upload, byteCount: Int) {
        holders.withLock { $0[upload.hash]?.uploads?.giveBack(upload.byteCount - Double(byteCount), pace: upload.pace) }
    }
}

/// What the services tell it.
extension Access {
    /// Whether no other than `principal` holds the token with this hash.
    func isFree(_ hash: ContentDigest, for principal: Principal) -> Bool {
        if case .tokens(let admin) = mode, hash.matches(admin) { return false }
        return holders.withLock { $0[hash].map { $0.principal == principal } ?? true }
    }

    /// A token that is known stays what it is: revoked, and as near to its limits.
    func grant(_ principal: Principal, toTokenWithHash hash: ContentDigest, until expiresAt: Timestamp? = nil) {
        holders.withLock { holders in
            if holders[hash] == nil { holders[hash] = Holder(principal: principal, expiresAt: expiresAt) }
        }
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

    /// From now on nobody issued any token of a federation, and what is under way with them ends.
    func forget(tokensOf federation: FederationID) {
        let ends = holders.withLock { holders in
            let gone = holders.filter { $0.value.principal.federation == federation }
            for hash in gone.keys { holders[hash] = nil }
            return gone.values.flatMap(\.underWay.ends)
        }
        for end in ends { end() }
    }

    /// From now on nobody issued the token, and what is under way with it ends.
    func forget(tokenWithHash hash: ContentDigest) {
        let holder = holders.withLock { $0.removeValue(forKey: hash) }
        for end in holder?.underWay.ends ?? [] { end() }
    }

    /// From now on the token is known as one that is good no more, even to a registration that is just ending. What is
    /// under way with it ends.
    func revoke(_ principal: Principal, tokenWithHash hash: ContentDigest) {
        let ends = holders.withLock { holders in
            holders[hash, default: Holder(principal: principal)].isRevoked = true
            return holders[hash]?.underWay.ends ?? []
        }
        for end in ends { end() }
    }
}
