/// How often callers may call, and how much they may send; 0 is no limit.
package struct RateLimits: Sendable, Hashable {
    /// Of one client. Ten seconds' worth may come at once, here and below. Default 20.
    package var clientRequestsPerSecond = 20.0
    /// Of one reader or enrolment token, which many may share. Default 1,000.
    package var sharedTokenRequestsPerSecond = 1000.0
    /// Of one client; a minute's worth may come at once. Default 1 GiB.
    package var uploadBytesPerMinute = 1_073_741_824.0
    /// Requests of one client under way at once, waits among them. Default 32.
    package var clientRequestsInFlight = 32
    /// Bodies of one client under way at once. Default 8.
    package var clientBodiesInFlight = 8
    /// Requests under one reader or enrolment token under way at once, waits among them. Default 4,096.
    package var sharedTokenRequestsInFlight = 4096
    /// Bodies under one reader or enrolment token under way at once. Default 128.
    package var sharedTokenBodiesInFlight = 128
    /// From one address, without a token that is good. Default 10.
    package var anonymousRequestsPerSecond = 10.0
    /// Tokens that nobody issued, from one address, before each costs a wait. Default 10.
    package var authFailures = 10
    /// The longest such wait: the first is one second, and each is twice the one before. So long after it
    /// without a failure, all is forgiven. Default 300.
    package var authBackoffSeconds = 300.0
    /// Whether all this holds for callers on this machine. Default yes.
    package var appliesToLoopback = true

    package init() {}

    package static var unlimited: RateLimits {
        var limits = RateLimits()
        limits.clientRequestsPerSecond = 0
        limits.sharedTokenRequestsPerSecond = 0
        limits.uploadBytesPerMinute = 0
        limits.clientRequestsInFlight = 0
        limits.clientBodiesInFlight = 0
        limits.sharedTokenRequestsInFlight = 0
        limits.sharedTokenBodiesInFlight = 0
        limits.anonymousRequestsPerSecond = 0
        limits.authBackoffSeconds = 0
        return limits
    }

    func holds(for address: PeerAddress) -> Bool { appliesToLoopback || !address.isLoopback }

    private static let burstSeconds = 10.0

    /// The pace of a caller's requests; nil where nothing limits them.
    func requests(of principal: Principal) -> TokenBucket.Pace? {
        switch principal {
        case .admin: nil
        case .client: Self.requests(clientRequestsPerSecond)
        case .reader, .enrolment: Self.requests(sharedTokenRequestsPerSecond)
        }
    }

    /// How many requests, and how many bodies, a caller may have under way; 0 for any number.
    func inFlight(of principal: Principal) -> (requests: Int, bodies: Int) {
        switch principal {
        case .admin: (0, 0)
        case .client: (clientRequestsInFlight, clientBodiesInFlight)
        case .reader, .enrolment: (sharedTokenRequestsInFlight, sharedTokenBodiesInFlight)
        }
    }

    var anonymousRequests: TokenBucket.Pace? { Self.requests(anonymousRequestsPerSecond) }

    /// The pace of the bytes that a caller sends; nil where nothing limits them.
    func uploads(of principal: Principal) -> TokenBucket.Pace? {
        guard case .client = principal, uploadBytesPerMinute > 0 else { return nil }
        return TokenBucket.Pace(perSecond: uploadBytesPerMinute / 60, seconds: 60)
    }

    private static func requests(_ perSecond: Double) -> TokenBucket.Pace? {
        perSecond > 0 ? TokenBucket.Pace(perSecond: perSecond, seconds: burstSeconds) : nil
    }
}
