import Federation
import Synchronization

/// The federations whose current round waits to be aggregated. Each is in the queue at most once.
///
/// A round whose aggregation failed for a transient reason returns after a delay. The delay is 1 s, then doubles, up to
/// a minute.
final class AggregationQueue: Sendable {
    private struct State {
        var waiting: Set<FederationID> = []
        var failures: [FederationID: (count: Int, notBefore: Timestamp)] = [:]
    }

    let line: AsyncStream<FederationID>
    private let continuation: AsyncStream<FederationID>.Continuation
    private let state = Mutex(State())

    init() {
        (line, continuation) = AsyncStream.makeStream()
    }

    /// The federations in the queue, and those whose round is being aggregated.
    var count: Int { state.withLock { $0.waiting.count } }

    func add(_ federation: FederationID, at now: Timestamp) {
        let isNew = state.withLock { state in
            if let failure = state.failures[federation], now < failure.notBefore { return false }
            return state.waiting.insert(federation).inserted
        }
        if isNew { continuation.yield(federation) }
    }

    /// Lets the federation enter the queue again.
    func finished(_ federation: FederationID) {
        state.withLock { state in
            state.waiting.remove(federation)
            state.failures[federation] = nil
        }
    }

    /// Lets the federation enter the queue again soon: another server aggregates the round now, and may be killed or may
    /// share the round out.
    func busy(_ federation: FederationID, at now: Timestamp, seconds: Double) {
        state.withLock { state in
            state.waiting.remove(federation)
            state.failures[federation] = (state.failures[federation]?.count ?? 0, now.adding(seconds: seconds))
        }
    }

    /// Lets the federation enter the queue again after a delay.
    func failed(_ federation: FederationID, at now: Timestamp) {
        state.withLock { state in
            state.waiting.remove(federation)
            let count = min(state.failures[federation]?.count ?? 0, 6)
            state.failures[federation] = (count + 1, now.adding(seconds: min(60, Double(1 << count))))
        }
    }
}
