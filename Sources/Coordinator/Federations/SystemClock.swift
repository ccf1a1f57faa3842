package import Federation
import Foundation

/// The machine's clock at the start of the process, plus the time that has passed since then.
///
/// When somebody sets the machine's clock, deadlines, waits and the expiry of tokens keep their distance. Recorded
/// times come from the same clock. A change of the machine's clock takes effect at the next start.
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
