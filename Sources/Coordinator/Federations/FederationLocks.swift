import Federation
import Synchronization

/// Lets one call at a time work on a federation. A second call is refused as busy.
final class FederationLocks: Sendable {
    private let held = Mutex<Set<FederationID>>([])

    func alone<Value>(
        _ federation: FederationID, _ work: () async throws(ServiceError) -> Value
    ) async throws(ServiceError) -> Value {
        guard held.withLock({ $0.insert(federation).inserted }) else { throw .busy(federation) }
        defer { held.withLock { _ = $0.remove(federation) } }
        return try await work()
    }
}
