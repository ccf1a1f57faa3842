package import Federation
import Synchronization

/// The sessions of all federations that this server runs.
package final class FederationRegistry: Sendable {
    private let state = Mutex(State())

    private struct State {
        var sessions: [FederationID: FederationSession] = [:]
        /// Stored federations that this version cannot run.
        var setAside: Set<FederationID> = []
        /// Federations that are being created.
        var reserved = 0
    }

    init() {}

    package func session(_ id: FederationID) throws(ServiceError) -> FederationSession {
        let (session, isSetAside) = state.withLock { ($0.sessions[id], $0.setAside.contains(id)) }
        guard let session else { throw isSetAside ? .setAside(id) : .unknownFederation(id) }
        return session
    }

    /// From now on calls of this federation hear that it cannot be run.
    func setAside(_ id: FederationID) {
        state.withLock { state in
            state.sessions[id] = nil
            state.setAside.insert(id)
        }
    }

    /// In ascending name.
    package var all: [FederationSession] { state.withLock { $0.sessions.values.sorted { $0.id < $1.id } } }

    func add(_ session: FederationSession) { state.withLock { $0.sessions[session.id] = session } }

    /// Takes a place for one more beside those that are not finished, to be released once it is there or is not to be; false
    /// where there are `limit`.
    func reserve(upTo limit: Int) -> Bool {
        state.withLock { state in
            let running = state.sessions.values.count { $0.snapshot.machine.state != .finished }
            guard running + state.setAside.count + state.reserved < limit else { return false }
            state.reserved += 1
            return true
        }
    }

    func remove(_ id: FederationID) {
        state.withLock { state in
            state.sessions[id] = nil
            state.setAside.remove(id)
        }
    }

    func release() { state.withLock { $0.reserved -= 1 } }
}
