import Federation
import Synchronization

/// A clock that stands at 2027-01-15T08:00:00Z until a test moves it.
final class HandMovedClock: WallClock {
    private let milliseconds = Mutex<Int64>(1_800_000_000_000)

    func now() -> Timestamp { Timestamp(milliseconds: milliseconds.withLock { $0 }) }

    func advance(seconds: Int64) { milliseconds.withLock { $0 += 1000 * seconds } }
}
