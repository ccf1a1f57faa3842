import Federation

/// A token bucket for one caller. It refills evenly up to a capacity, and a single `take` may overdraw it.
///
/// Any positive level admits an amount of any size, so a body larger than the capacity is not refused for ever. The
/// next caller of `take` waits until the overdraft is refilled.
struct TokenBucket: Sendable, Hashable {
    struct Pace: Sendable, Hashable {
        let perSecond: Double
        let capacity: Double

        /// - Parameter seconds: the time in which an empty bucket refills.
        init(perSecond: Double, seconds: Double) {
            self.perSecond = perSecond
            capacity = perSecond * seconds
        }
    }

    private var level: Double
    private var filledAt: Timestamp
    /// From when on the bucket is as good as a new one.
    private(set) var fullAt: Timestamp

    init(of pace: Pace, at now: Timestamp) {
        level = pace.capacity
        filledAt = now
        fullAt = now
    }

    /// Takes `amount`, or returns how many seconds to wait before anything can be taken.
    mutating func take(_ amount: Double, at now: Timestamp, pace: Pace) -> Double? {
        // A clock that was set back neither refills nor drains the bucket.
        level = min(pace.capacity, level + max(0, now.seconds(since: filledAt)) * pace.perSecond)
        filledAt = now
        guard level > 0 else { return max(0.001, -level / pace.perSecond) }
        level -= amount
        fullAt = now.adding(seconds: (pace.capacity - level) / pace.perSecond)
        return nil
    }

    /// Returns the unused part of an earlier amount; negative where more was used than taken.
    mutating func giveBack(_ amount: Double, pace: Pace) {
        level = min(pace.capacity, level + amount)
        fullAt = filledAt.adding(seconds: (pace.capacity - level) / pace.perSecond)
    }
}

extension TokenBucket? {
    /// Takes from the bucket, which is full at first.
    mutating func take(_ amount: Double, at now: Timestamp, pace: TokenBucket.Pace) -> Double? {
        var bucket = self ?? TokenBucket(of: pace, at: now)
        defer { self = bucket }
        return bucket.take(amount, at: now, pace: pace)
    }
}
