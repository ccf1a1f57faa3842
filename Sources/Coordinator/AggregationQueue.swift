import Federation
import Synchronization

/// The federations whose current round waits to be aggregated; each stands in line at most once.
final class AggregationQueue: Sendable {
    let line: AsyncStream<FederationID>
    private let continuation: AsyncStream<FederationID>.Continuation
    private let waiting = Mutex<Set<FederationID>>([])

    init() {
        (line, continuation) = AsyncStream.makeStream()
    }

    func add(_ federation: FederationID) {
        guard waiting.withLock({ $0.insert(federation).inserted }) else { return }
        continuation.yield(federation)
    }

    /// Lets the federation stand in line again.
    func finished(_ federation: FederationID) {
        waiting.withLock { _ = $0.remove(federation) }
    }
}
