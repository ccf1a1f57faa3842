import Synchronization

/// How far a transfer has come over all its tries, so that waits can begin anew whenever it got further.
package final class TransferProgress: Sendable {
    private struct Mark {
        var furthest: Int64 = 0
        var asked: Int64 = 0
    }

    private let mark = Mutex(Mark())

    package init() {}

    /// Notes that the first `count` bytes are where they should be.
    package func reached(_ count: Int64) {
        mark.withLock { $0.furthest = max($0.furthest, count) }
    }

    /// Whether it got further since this was asked last.
    package func hasGrown() -> Bool {
        mark.withLock { mark in
            defer { mark.asked = mark.furthest }
            return mark.furthest > mark.asked
        }
    }
}
