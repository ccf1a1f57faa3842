package import Federation
import Foundation

/// The machine's clock as it stood when the process began, and from there on by the time that has passed.
///
/// Deadlines, waits and tokens' ends so stay as far off as they were when somebody sets the clock; what is recorded carries the
/// same time. A clock that was set counts from the next start.
package struct SystemClock: WallClock {
    private static let start = (wall: milliseconds(CLOCK_REALTIME), running: milliseconds(CLOCK_BOOTTIME))

    package init() { _ = Self.start }

    package func now() -> Timestamp {
        Timestamp(milliseconds: Self.start.wall + Self.milliseconds(CLOCK_BOOTTIME) - Self.start.running)
    }

    private static func milliseconds(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
