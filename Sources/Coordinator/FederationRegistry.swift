package import Federation
import Synchronization

/// The sessions of all federations that this server runs.
package final class FederationRegistry: Sendable {
    private let sessions = Mutex<[FederationID: FederationSession]>([:])

    init() {}

    package func session(_ id: FederationID) throws(ServiceError) -> FederationSession {
        guard let session = sessions.withLock({ $0[id] }) else { throw .unknownFederation(id) }
        return session
    }

    /// In ascending name.
    package var all: [FederationSession] { sessions.withLock { $0.values.sorted { $0.id < $1.id } } }

    func add(_ session: FederationSession) { sessions.withLock { $0[session.id] = session } }
}
