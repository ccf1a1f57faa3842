import HTTPFetching
import RankwiseWire

extension Agent {
    /// What a call came to once the server gave a usable answer.
    enum Answer<Value> {
        case value(Value)
        case refused(Problem)
    }

    /// Repeats `call` until the server answers it, waiting longer each time or as long as the server asks for.
    func answer<Value>(
        to name: String, _ call: () async throws(CallError) -> Value
    ) async throws(AgentError) -> Answer<Value> {
        try await interruptibleAnswer(to: name) { (_) async throws(CallError) in try await call() }.answer
    }

    /// As `answer`; tells `call` and the caller whether the server was out of reach in between.
    func interruptibleAnswer<Value>(
        to name: String, _ call: (_ isRetry: Bool) async throws(CallError) -> Value
    ) async throws(AgentError) -> (answer: Answer<Value>, wasInterrupted: Bool) {
        var backoff = configuration.backoff
        let start = clock.now
        var isRetry = false
        while true {
            let failure: CallError
            do throws(CallError) {
                return (.value(try await call(isRetry)), isRetry)
            } catch {
                failure = error
            }
            var leastDelay = Duration.zero
            switch failure {
            case .refused(let problem): return (.refused(problem), isRetry)
            case .unreached(.cancelled): throw .cancelled
            case .unreached(.file(let path, let reason)): throw .state(.failed(path: path, reason: reason))
            case .unreached(let error) where !error.isWorthRetrying:
                throw .outOfReach(lastReason: "\(error)", tried: clock.now - start)
            case .unreached: break
            case .unavailable(_, let retryAfter): leastDelay = retryAfter ?? .zero
            }
            let tried = clock.now - start
            guard tried < configuration.persistence else {
                throw .outOfReach(lastReason: "\(failure)", tried: tried)
            }
            // The last try falls on the end of the agent's persistence.
            let delay = max(leastDelay, min(nextDelay(&backoff), configuration.persistence - tried))
            observe(.retrying(call: name, reason: "\(failure)", after: delay))
            try await sleep(for: delay)
            isRetry = true
        }
    }

    func sleep(for duration: Duration) async throws(AgentError) {
        do throws(CancellationError) {
            try await clock.sleep(for: duration)
        } catch {
            throw .cancelled
        }
    }

    private func nextDelay(_ backoff: inout Backoff) -> Duration {
        var generator = generator
        defer { self.generator = generator }
        return backoff.next(using: &generator)
    }
}
