import HTTPFetching

/// Repeats a call until the server answers it. Each wait is longer than the last, or as long as the server asks for.
package struct Persistence: Sendable {
    /// How long a call is tried; zero for one try.
    package var limit: Duration
    package var backoff: Backoff
    private let clock: any WaitClock

    package init(
        limit: Duration, backoff: Backoff = Backoff(), clock: any WaitClock = SystemWaitClock()
    ) {
        self.limit = limit
        self.backoff = backoff
        self.clock = clock
    }

    /// The answer, or the last failure once `limit` has passed or where another try makes no sense.
    ///
    /// - Parameters:
    ///   - headway: if it has grown, the server is reachable, so limit and waits start from the beginning.
    ///   - onRetry: gets each failure and the wait after it.
    ///   - call: gets whether an earlier try failed.
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
            // The last try is at the limit, unless the server asked for a longer wait.
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
