import Federation
import Glibc
import Synchronization

/// PostgreSQL's clock: this machine's running clock, plus the distance that was read last.
final class DatabaseClock: WallClock {
    private let distance = Atomic<Int64>(0)

    func now() -> Timestamp {
        Timestamp(milliseconds: Self.running() + distance.load(ordering: .relaxed))
    }

    /// - Parameters:
    ///   - milliseconds: what the database's clock showed.
    ///   - before: this machine's running clock before the question was sent; the answer is taken as of the middle.
    func set(_ milliseconds: Int64, askedAt before: Int64) {
        distance.store(milliseconds - (before + Self.running()) / 2, ordering: .relaxed)
    }

    /// Moves the clock until the next `set`, for tests that move the database's clock.
    func shift(by seconds: Double) { distance.add(Int64(seconds * 1000), ordering: .relaxed) }

    /// Milliseconds that pass also while the machine sleeps.
    static func running() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
