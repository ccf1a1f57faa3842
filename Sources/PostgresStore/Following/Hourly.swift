import Federation
import Synchronization

/// Lets something be done about once an hour, for the first time an hour after the start.
final class Hourly: Sendable {
    private let last = Mutex<Timestamp?>(nil)

    /// Whether an hour has passed; notes that it is done now.
    func isDue(at now: Timestamp) -> Bool {
        last.withLock { last in
            guard let known = last else {
                last = now
                return false
            }
            guard now.seconds(since: known) >= 3600 else { return false }
            last = now
            return true
        }
    }
}
