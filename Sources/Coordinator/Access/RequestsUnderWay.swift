import Federation
import Synchronization

/// The requests under way of all callers that hold one token.
struct RequestsUnderWay: Sendable {
    private struct Entry: Sendable {
        let hasBody: Bool
        let end: @Sendable () -> Void
    }

    private var entries: [UInt64: Entry] = [:]
    private var bodies = 0
    private var next: UInt64 = 0

    /// Counts a request; nil where the limit is reached. 0 means no limit.
    mutating func begin(
        hasBody: Bool, upTo limits: (requests: Int, bodies: Int), end: @escaping @Sendable () -> Void
    ) -> UInt64? {
        guard limits.requests == 0 || entries.count < limits.requests else { return nil }
        guard !hasBody || limits.bodies == 0 || bodies < limits.bodies else { return nil }
        next += 1
        entries[next] = Entry(hasBody: hasBody, end: end)
        if hasBody { bodies += 1 }
        return next
    }

    mutating func finish(_ number: UInt64) {
        guard let entry = entries.removeValue(forKey: number), entry.hasBody else { return }
        bodies -= 1
    }

    var isEmpty: Bool { entries.isEmpty }

    /// The functions that end the requests under way.
    var ends: [@Sendable () -> Void] { entries.values.map(\.end) }
}

extension Access {
    /// A request that counts as under way until `finish` is called for it.
    package struct Visit: Sendable {
        fileprivate let hash: ContentDigest
        fileprivate let number: UInt64
    }

    /// Counts a request against the limit of its token; nil for an unknown token and for the admin's.
    ///
    /// - Parameter end: ends the request; called when its token stops being valid.
    package func begin(
        bearer token: String?, hasBody: Bool, from address: PeerAddress, end: @escaping @Sendable () -> Void
    ) throws(ServiceError) -> Visit? {
        guard let token else { return nil }
        let hash = Self.hash(token)
        let isLimited = limits.holds(for: address)
        let now = clock.now()
        let (visit, isKnown) = holders.withLock { holders -> (Visit?, Bool) in
            guard let principal = holders[hash]?.principal else { return (nil, false) }
            let number = holders.act(hash, at: now) {
                $0.underWay.begin(
                    hasBody: hasBody, upTo: isLimited ? limits.inFlight(of: principal) : (0, 0), end: end)
            }
            return (number.map { Visit(hash: hash, number: $0) }, true)
        }
        if isKnown, visit == nil { throw .tooManyRequests(retryAfter: 1) }
        return visit
    }

    /// Stops counting a request.
    package func finish(_ visit: Visit) {
        let now = clock.now()
        holders.withLock { holders in holders.act(visit.hash, at: now) { $0.underWay.finish(visit.number) } }
    }
}
