package import Federation

/// Time since the process began: it goes on whatever the machine's clock is set to.
package struct ProcessClock: WallClock {
    private static let start = ContinuousClock.now

    package init() { _ = Self.start }

    package func now() -> Timestamp { Timestamp(milliseconds: 0).adding(seconds: (.now - Self.start) / .seconds(1)) }
}
