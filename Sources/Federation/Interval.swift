import Synchronization

/// Lets something be done at most once in so many seconds.
package final class Interval: Sendable {
    private let seconds: Double
    private let last = Mutex<Timestamp?>(nil)
    /// Whether it is done at the first chance, or only once the time has passed after that.
    private let beginsAtOnce: Bool

    package init(seconds: Double, beginsAtOnce: Bool = true) {
        self.seconds = seconds
        self.beginsAtOnce = beginsAtOnce
    }

    /// Whether it is to be done; the caller does it now.
    package func isDue(at now: Timestamp) -> Bool {
        last.withLock { last in
            if let known = last, (0..<seconds).contains(now.seconds(since: known)) { return false }
            defer { last = now }
            return last != nil || beginsAtOnce
        }
    }
}
