import Federation
import Synchronization

/// Lets something be done at most once in so many seconds.
final class Interval: Sendable {
    private let seconds: Double
    private let last = Mutex<Timestamp?>(nil)

    init(seconds: Double) { self.seconds = seconds }

    /// Whether the time has passed, or nothing was done yet; notes that it is done now.
    func isDue(at now: Timestamp) -> Bool {
        last.withLock { last in
            if let known = last, (0..<seconds).contains(now.seconds(since: known)) { return false }
            last = now
            return true
        }
    }
}
