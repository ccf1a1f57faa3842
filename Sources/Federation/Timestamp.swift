/// A moment, in whole milliseconds since 1970-01-01 UTC.
package struct Timestamp: Hashable, Comparable, Sendable, Codable {
    package let milliseconds: Int64

    package init(milliseconds: Int64) { self.milliseconds = milliseconds }

    package static func < (left: Timestamp, right: Timestamp) -> Bool { left.milliseconds < right.milliseconds }

    /// Saturates instead of overflowing.
    package func adding(seconds: Double) -> Timestamp {
        let (sum, overflow) = milliseconds.addingReportingOverflow(
            Int64(exactly: (seconds * 1000).rounded()) ?? .max / 2)
        return Timestamp(milliseconds: overflow ? .max : sum)
    }

    /// The seconds from `earlier` to this moment.
    package func seconds(since earlier: Timestamp) -> Double {
        let (difference, overflow) = milliseconds.subtractingReportingOverflow(earlier.milliseconds)
        return (overflow ? Double(milliseconds) - Double(earlier.milliseconds) : Double(difference)) / 1000
    }
}

/// The current time; a port, so that tests can control it.
package protocol WallClock: Sendable {
    /// The present moment.
    func now() -> Timestamp
}
