package import Federation

/// The time since the process began. Changes of the machine's clock do not affect it.
package struct ProcessClock: WallClock {
    private static let start = ContinuousClock.now

    package init() { _ = Self.start }

    package func now() -> Timestamp { Timestamp(milliseconds: 0).adding(seconds: (.now - Self.start) / .seconds(1)) }
}
