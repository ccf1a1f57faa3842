import Synchronization

/// A transfer's progress over all its tries, so that waits start from the beginning after progress.
package final class TransferProgress: Sendable {
    private struct Mark {
        var furthest: Int64 = 0
        var asked: Int64 = 0
    }

    private let mark = Mutex(Mark())

    package init() {}

    /// Records that the first `count` bytes have arrived.
    package func reached(_ count: Int64) {
        mark.withLock { $0.furthest = max($0.furthest, count) }
    }

    /// Whether it has progressed since the last call.
    package func hasGrown() -> Bool {
        mark.withLock { mark in
            defer { mark.asked = mark.furthest }
            return mark.furthest > mark.asked
        }
    }
}
