import Synchronization

/// Knows when each client was last seen, and which clients said that they have ended.
///
/// It may lose this knowledge when the server stops; then all clients count as seen.
package protocol PresenceStore: Sendable {
    /// The presence of one federation's clients. All callers share one view.
    func presence(of federation: FederationID) -> any Presence
    /// Forgets the clients of a deleted federation.
    func forgetPresence(of federation: FederationID)
}

/// When the clients of one federation were seen.
package protocol Presence: Sendable {
    typealias Snapshot = (lastSeen: [ClientName: Timestamp], absent: Set<ClientName>)

    /// Counts clients as seen at `now`, where nothing is known of them.
    func presume(_ clients: some Sequence<ClientName>, seenAt now: Timestamp)
    /// Notes that the client called: it counts as seen at `now` and is no longer absent.
    func touch(_ client: ClientName, at now: Timestamp)
    /// Notes that the client has ended: it is absent until it calls again.
    func leave(_ client: ClientName)
    /// When the client was last seen; nil where nothing is known of it.
    func lastSeen(_ client: ClientName) -> Timestamp?
    var snapshot: Snapshot { get }
}

/// Presence in memory, for a single server.
package final class MemoryPresence: PresenceStore {
    private let federations = Mutex<[FederationID: MemberTable]>([:])

    package init() {}

    package func presence(of federation: FederationID) -> any Presence {
        federations.withLock { federations in
            if let known = federations[federation] { return known }
            let table = MemberTable()
            federations[federation] = table
            return table
        }
    }

    package func forgetPresence(of federation: FederationID) { federations.withLock { $0[federation] = nil } }
}

private final class MemberTable: Presence {
    private struct State {
        var lastSeen: [ClientName: Timestamp] = [:]
        var absent: Set<ClientName> = []
    }

    private let state = Mutex(State())

    func presume(_ clients: some Sequence<ClientName>, seenAt now: Timestamp) {
        state.withLock { state in
            for client in clients where state.lastSeen[client] == nil { state.lastSeen[client] = now }
        }
    }

    func touch(_ client: ClientName, at now: Timestamp) {
        state.withLock { state in
            state.lastSeen[client] = now
            state.absent.remove(client)
        }
    }

    func leave(_ client: ClientName) { state.withLock { _ = $0.absent.insert(client) } }

    func lastSeen(_ client: ClientName) -> Timestamp? { state.withLock { $0.lastSeen[client] } }

    var snapshot: Presence.Snapshot { state.withLock { ($0.lastSeen, $0.absent) } }
}
