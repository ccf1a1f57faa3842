import Federation

/// How much of something one caller may take: it refills evenly up to a bound, and a single taking may overdraw it.
///
/// Whatever is left admits a taking of any size, so a body longer than the bound is not shut out for ever; what it
/// overdraws is waited for by the next one.
struct TokenBucket: Sendable, Hashable {
    struct Pace: Sendable, Hashable {
        let perSecond: Double
        let capacity: Double

        /// - Parameter seconds: how long it takes to refill.
        init(perSecond: Double, seconds: Double) {
            self.perSecond = perSecond
            capacity = perSecond * seconds
        }
    }

    private var level: Double
    private var filledAt: Timestamp

    init(of pace: Pace, at now: Timestamp) {
        level = pace.capacity
        filledAt = now
    }

    /// Takes `amount`, or answers how many seconds to wait before anything can be taken.
    mutating func take(_ amount: Double, at now: Timestamp, pace: Pace) -> Double? {
        // A clock that was set back refills nothing, and costs nothing either.
        level = min(pace.capacity, level + max(0, now.seconds(since: filledAt)) * pace.perSecond)
        filledAt = now
        guard level > 0 else { return max(0.001, -level / pace.perSecond) }
        level -= amount
        return nil
    }

    /// Corrects an earlier taking by what was not used of it; what was used beyond it is less than nothing.
    mutating func giveBack(_ amount: Double, pace: Pace) { level = min(pace.capacity, level + amount) }
}

extension TokenBucket? {
    /// Takes from the bucket, which begins full.
    mutating func take(_ amount: Double, at now: Timestamp, pace: TokenBucket.Pace) -> Double? {
        var bucket = self ?? TokenBucket(of: pace, at: now)
        defer { self = bucket }
        return bucket.take(amount, at: now, pace: pace)
    }
}
