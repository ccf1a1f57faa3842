/// Limits on how often callers may call and how much they may send; 0 means no limit.
package struct RateLimits: Sendable, Hashable {
    /// Requests of one client. Ten seconds' worth may come at once, here and below. Default 20.
    package var clientRequestsPerSecond = 20.0
    /// Requests under one reader or enrolment token, which many callers may share. Default 1,000.
    package var sharedTokenRequestsPerSecond = 1000.0
    /// Bytes that one client sends. A minute's worth may come at once. Default 1 GiB.
    package var uploadBytesPerMinute = 1_073_741_824.0
    /// Requests of one client under way at once, including those that wait. Default 32.
    package var clientRequestsInFlight = 32
    /// Bodies of one client under way at once. Default 8.
    package var clientBodiesInFlight = 8
    /// Requests under one reader or enrolment token under way at once, including those that wait. Default 4,096.
    package var sharedTokenRequestsInFlight = 4096
    /// Bodies under one reader or enrolment token under way at once. Default 128.
    package var sharedTokenBodiesInFlight = 128
    /// Requests from one address without a valid token. Default 10.
    package var anonymousRequestsPerSecond = 10.0
    /// Unknown tokens from one address before each further one costs a wait. Default 10.
    package var authFailures = 10
    /// The longest such wait. The first wait is one second, and each one is twice the one before. An address without a
    /// failure for this time after its wait starts afresh. Default 300.
    package var authBackoffSeconds = 300.0
    /// Whether these limits also hold for callers on this machine. Default yes.
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

    /// The part of the rates that one of `count` servers gives; what is counted at once stays.
    func divided(among count: Int) -> RateLimits {
        guard count > 1 else { return self }
        var part = self
        let count = Double(count)
        part.clientRequestsPerSecond /= count
        part.sharedTokenRequestsPerSecond /= count
        part.uploadBytesPerMinute /= count
        part.anonymousRequestsPerSecond /= count
        return part
    }

    func holds(for address: PeerAddress) -> Bool { appliesToLoopback || !address.isLoopback }

    private static let burstSeconds = 10.0

    /// The rate of a caller's requests; nil where it has no limit.
    func requests(of principal: Principal) -> TokenBucket.Pace? {
        switch principal {
        case .admin, .metrics: nil
        case .client: Self.requests(clientRequestsPerSecond)
        case .reader, .enrolment: Self.requests(sharedTokenRequestsPerSecond)
        }
    }

    /// How many requests and how many bodies a caller may have under way; 0 means no limit.
    func inFlight(of principal: Principal) -> (requests: Int, bodies: Int) {
        switch principal {
        case .admin, .metrics: (0, 0)
        case .client: (clientRequestsInFlight, clientBodiesInFlight)
        case .reader, .enrolment: (sharedTokenRequestsInFlight, sharedTokenBodiesInFlight)
        }
    }

    var anonymousRequests: TokenBucket.Pace? { Self.requests(anonymousRequestsPerSecond) }

    /// The rate of the bytes that a caller sends; nil where it has no limit.
    func uploads(of principal: Principal) -> TokenBucket.Pace? {
        guard case .client = principal, uploadBytesPerMinute > 0 else { return nil }
        return TokenBucket.Pace(perSecond: uploadBytesPerMinute / 60, seconds: 60)
    }

    private static func requests(_ perSecond: Double) -> TokenBucket.Pace? {
        perSecond > 0 ? TokenBucket.Pace(perSecond: perSecond, seconds: burstSeconds) : nil
    }
}
