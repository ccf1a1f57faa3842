package import Federation
import Synchronization

/// The sessions of all federations that this server runs.
package final class FederationRegistry: Sendable {
    private let state = Mutex(State())

    private struct State {
        var sessions: [FederationID: FederationSession] = [:]
        /// Federations that are being created.
        var reserved = 0
    }

    init() {}

    package func session(_ id: FederationID) throws(ServiceError) -> FederationSession {
        guard let session = state.withLock({ $0.sessions[id] }) else { throw .unknownFederation(id) }
        return session
    }

    /// In ascending name.
    package var all: [FederationSession] { state.withLock { $0.sessions.values.sorted { $0.id < $1.id } } }

    func add(_ session: FederationSession) { state.withLock { $0.sessions[session.id] = session } }

    /// Takes a place for one more beside those that are not finished, to be released once it is there or is not to be; false where there are `limit`.
    func reserve(upTo limit: Int) -> Bool {
        state.withLock { state in
            let running = state.sessions.values.count { $0.snapshot.machine.state != .finished }
            guard running + state.reserved < limit else { return false }
            state.reserved += 1
            return true
        }
    }

    func remove(_ id: FederationID) { state.withLock { _ = $0.sessions.removeValue(forKey: id) } }

    func release() { state.withLock { $0.reserved -= 1 } }
}
