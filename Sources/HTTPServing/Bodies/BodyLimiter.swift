import Synchronization

/// Counts the request bodies under way, and their bytes, against the limits.
///
/// A body is under way from its head to the end of its handler. A lone one is let in whatever its length: else a limit
/// below its length would keep it out for ever.
final class BodyLimiter: Sendable {
    private struct Counts {
        var bodies = 0
        var bytes = 0
        var perSubscriber: [SocketAddress.Host: Int] = [:]
    }

    private let limits: Limits
    private let counts = Mutex(Counts())

    init(limits: Limits) {
        self.limits = limits
    }

    /// - Parameters:
    ///   - length: what the body says it has, 0 where it does not say.
    ///   - origin: who sends it.
    /// - Returns: false where there is no room; only after true must the place be given back.
    func admit(_ length: Int, from origin: SocketAddress) -> Bool {
        counts.withLock { counts in
            let ofOrigin = counts.perSubscriber[origin.subscriber, default: 0]
            guard counts.bodies < limits.bodiesInFlight, hasRoom(counts, for: length, besides: 0),
                !isCounted(origin) || ofOrigin < limits.bodiesPerAddress
            else { return false }
            if isCounted(origin) { counts.perSubscriber[origin.subscriber] = ofOrigin + 1 }
            counts.bodies += 1
            counts.bytes += length
            return true
        }
    }

    /// Counts what has come of a body that did not say its length.
    /// - Returns: false where there is no room for it; it is not counted then.
    func grow(by count: Int) -> Bool {
        counts.withLock { counts in
            guard hasRoom(counts, for: count, besides: 1) else { return false }
            counts.bytes += count
            return true
        }
    }

    func release(_ bytes: Int, from origin: SocketAddress) {
        counts.withLock { counts in
            counts.bodies -= 1
            counts.bytes -= bytes
            guard isCounted(origin), let ofOrigin = counts.perSubscriber[origin.subscriber] else { return }
            counts.perSubscriber[origin.subscriber] = ofOrigin > 1 ? ofOrigin - 1 : nil
        }
    }

    private func isCounted(_ origin: SocketAddress) -> Bool { limits.countsLoopbackAddresses || !origin.isLoopback }

    private func hasRoom(_ counts: Counts, for count: Int, besides own: Int) -> Bool {
        counts.bodies <= own || count <= limits.bodyBytesInFlight - counts.bytes
    }
}
