/// The time and the chance that calls use; tests give their own.
struct CallClock: Sendable {
    /// Seconds since 1970-01-01 UTC.
    var wall: @Sendable () -> Int64
    var now: @Sendable () -> ContinuousClock.Instant
    /// At least 0, below 1.
    var random: @Sendable () -> Double
    /// Blocks for a time, or until the call is cancelled.
    var pause: @Sendable (Duration, CallCancellation) -> Void

    static let system = CallClock(
        wall: { CalendarTime.now.seconds }, now: { ContinuousClock.now }, random: { Double.random(in: 0..<1) },
        pause: { $1.wait($0) })
}
