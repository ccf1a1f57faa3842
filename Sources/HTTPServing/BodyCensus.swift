import Synchronization

/// Counts the request bodies under way, and their bytes, against the limits.
///
/// A body is under way from its head to the end of its handler. A lone one is let in whatever its length: else a limit
/// below its length would keep it out for ever.
final class BodyCensus: Sendable {
    private struct Counts {
        var bodies = 0
        var bytes = 0
    }

    private let limits: Limits
    private let counts = Mutex(Counts())

    init(limits: Limits) {
        self.limits = limits
    }

    /// - Parameter length: what the body says it has, 0 where it does not say.
    /// - Returns: false where there is no room; only after true must the place be given back.
    func admit(_ length: Int) -> Bool {
        counts.withLock { counts in
            guard counts.bodies < limits.bodiesInFlight, hasRoom(counts, for: length, besides: 0) else { return false }
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

    func release(_ bytes: Int) {
        counts.withLock { counts in
            counts.bodies -= 1
            counts.bytes -= bytes
        }
    }

    private func hasRoom(_ counts: Counts, for count: Int, besides own: Int) -> Bool {
        counts.bodies <= own || count <= limits.bodyBytesInFlight - counts.bytes
    }
}
