import Synchronization

/// Counts request bodies in flight, and their bytes, against the limits.
///
/// A body is in flight from its head to the end of its handler. A body that is alone is admitted at any length;
/// otherwise a lower limit would keep it out for ever.
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

    /// The bodies in flight now, and their bytes.
    var inFlight: (bodies: Int, bytes: Int) { counts.withLock { ($0.bodies, $0.bytes) } }

    /// - Parameters:
    ///   - length: the declared length, 0 without one.
    ///   - origin: the sender.
    /// - Returns: false where the limits leave no room; only after true must the caller release the place.
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

    /// Counts received bytes of a body without a declared length.
    /// - Returns: false where the limits leave no room; the bytes are then not counted.
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
