/// The clock of waits; a port, so that tests need not wait.
package protocol WaitClock: Sendable {
    /// Time since any fixed moment; never goes back.
    var now: Duration { get }
    /// Returns after `duration`, or at once with an error when the task is cancelled.
    func sleep(for duration: Duration) async throws(CancellationError)
}

/// The machine's own clock, which includes the machine's sleep.
package struct SystemWaitClock: WaitClock {
    private let start = ContinuousClock.now

    package init() {}

    package var now: Duration { start.duration(to: .now) }

    package func sleep(for duration: Duration) async throws(CancellationError) {
        do {
            try await ContinuousClock().sleep(for: duration)
        } catch {
            throw CancellationError()
        }
    }
}
