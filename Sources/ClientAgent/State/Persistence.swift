import HTTPFetching

/// Repeats a call until the server answers it, waiting longer each time or as long as the server asks for.
package struct Persistence: Sendable {
    /// How long a call is tried; zero for once.
    package var limit: Duration
    package var backoff: Backoff
    private let clock: any AgentClock

    package init(
        limit: Duration, backoff: Backoff = Backoff(), clock: any AgentClock = SystemAgentClock()
    ) {
        self.limit = limit
        self.backoff = backoff
        self.clock = clock
    }

    /// The answer, or the last failure once `limit` has passed or where trying again makes no sense.
    ///
    /// - Parameters:
    ///   - headway: where it grew, the server is within reach: limit and waits begin anew.
    ///   - onRetry: told of each failure and how long it is waited then.
    ///   - call: told whether an earlier try failed.
    nonisolated(nonsending) package func answer<Value>(
        using generator: inout some RandomNumberGenerator, headway: TransferProgress? = nil,
        onRetry: (CallError, Duration) -> Void = { _, _ in },
        _ call: (_ isRetry: Bool) async throws(CallError) -> Value
    ) async throws(CallError) -> Value {
        var backoff = backoff
        var start = clock.now
        var isRetry = false
        while true {
            let failure: CallError
            do throws(CallError) {
                return try await call(isRetry)
            } catch {
                failure = error
            }
            if headway?.hasGrown() == true {
                backoff.reset()
                start = clock.now
            }
            let tried = clock.now - start
            guard failure.isWorthRetrying, tried < limit else { throw failure }
            // The last try falls on the limit, unless the server asked for more.
            let delay = max(failure.retryAfter ?? .zero, min(backoff.next(using: &generator), limit - tried))
            onRetry(failure, delay)
            do throws(CancellationError) {
                try await clock.sleep(for: delay)
            } catch {
                throw .unreached(.cancelled)
            }
            isRetry = true
        }
    }
}
