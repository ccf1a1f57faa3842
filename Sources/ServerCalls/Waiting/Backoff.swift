/// The wait before the next try: exponential, with full jitter, so that clients of one lost server do not come back at
/// the same moment.
package struct Backoff: Sendable, Hashable {
    /// The upper limit of the first wait.
    package var first: Duration
    package var longest: Duration
    private(set) var failures = 0

    package init(first: Duration = .milliseconds(500), longest: Duration = .seconds(60)) {
        self.first = first
        self.longest = longest
    }

    /// The wait after one more failure: uniform in 0 … min(`longest`, `first`·2ⁿ).
    package mutating func next(using generator: inout some RandomNumberGenerator) -> Duration {
        // With 2³⁰ every useful first wait already exceeds `longest`.
        let bound = min(longest, first * (1 << min(failures, 30)))
        failures += 1
        return bound * Double.random(in: 0...1, using: &generator)
    }

    package mutating func reset() {
        failures = 0
    }
}
