import Federation

/// Slows down addresses that call without a valid token. Each address has a rate limit; after too many wrong tokens it
/// must also wait, each time twice as long.
struct AddressThrottle: Sendable {
    private struct Record: Sendable {
        var requests: TokenBucket?
        var failures = 0
        var failedAt: Timestamp?
        var blockedUntil: Timestamp?
    }

    /// This server's part of them.
    var limits: RateLimits
    private var records: RecentTable<PeerAddress, Record>

    /// - Parameter capacity: how many addresses are remembered. A caller with more addresses can make the table forget
    ///   it, but gains less by that than by calling from so many addresses.
    init(limits: RateLimits, capacity: Int = 32_768) {
        self.limits = limits
        records = RecentTable(limit: capacity)
    }

    var count: Int { records.count }

    /// Admits a request without a token, or returns how many seconds it must wait.
    mutating func admit(_ address: PeerAddress, at now: Timestamp) -> Double? {
        guard limits.holds(for: address), let pace = limits.anonymousRequests else { return nil }
        return records.update(address, initially: Record()) { Self.take(from: &$0, at: now, pace: pace) }
    }

    /// Admits a request with an unknown token, which is then refused as such, or returns how many seconds it must wait.
    mutating func admitFailure(_ address: PeerAddress, at now: Timestamp) -> Double? {
        guard limits.holds(for: address) else { return nil }
        let (limits, longest) = (limits, limits.authBackoffSeconds)
        return records.update(address, initially: Record()) { record in
            if let wait = record.blockedUntil?.seconds(since: now), wait > 0, wait <= longest { return wait }
            if let pace = limits.anonymousRequests, let wait = Self.take(from: &record, at: now, pace: pace) {
                return wait
            }
            guard longest > 0 else { return nil }
            if let last = record.blockedUntil ?? record.failedAt, now.seconds(since: last) >= longest {
                record.failures = 0
                record.blockedUntil = nil
            }
            record.failures += 1
            record.failedAt = now
            let excess = record.failures - limits.authFailures
            if excess > 0 {
                let wait = Double(1 << min(excess - 1, 30))
                record.blockedUntil = now.adding(seconds: min(wait, longest))
            }
            return nil
        }
    }

    private static func take(from record: inout Record, at now: Timestamp, pace: TokenBucket.Pace) -> Double? {
        record.requests.take(1, at: now, pace: pace)
    }
}
