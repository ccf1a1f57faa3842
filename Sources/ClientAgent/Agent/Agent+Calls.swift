import HTTPFetching
import RankwiseWire
import ServerCalls

extension Agent {
    /// The result of a call that the server answered.
    enum Answer<Value> {
        case value(Value)
        case refused(Problem)
    }

    /// Repeats `call` until the server answers; `call` gets whether an earlier try failed.
    func answer<Value>(
        to name: String, headway: TransferProgress? = nil,
        _ call: (_ isRetry: Bool) async throws(CallError) -> Value
    ) async throws(AgentError) -> Answer<Value> {
        let start = clock.now
        let observe = observe
        let persistence = Persistence(limit: configuration.persistence, backoff: configuration.backoff, clock: clock)
        var generator = generator
        defer { self.generator = generator }
        do throws(CallError) {
            return .value(
                try await persistence.answer(
                    using: &generator, headway: headway,
                    onRetry: { observe(.retrying(call: name, reason: "\($0)", after: $1)) }, call))
        } catch {
            switch error {
            case .refused(let problem): return .refused(problem)
            case .unreached(.cancelled): throw .cancelled
            case .unreached(.noRoom(let path)): throw .state(.noRoom(path: path))
            case .unreached(.file(let path, let reason)): throw .state(.failed(path: path, reason: reason))
            case .unreached, .foreign, .unavailable: throw .outOfReach(lastReason: "\(error)", tried: clock.now - start)
            }
        }
    }

    func sleep(for duration: Duration) async throws(AgentError) {
        do throws(CancellationError) {
            try await clock.sleep(for: duration)
        } catch {
            throw .cancelled
        }
    }
}
