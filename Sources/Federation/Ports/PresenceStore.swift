import Synchronization

/// Knows when each client was last heard of, and who has said that it would call no more.
///
/// It may forget what it knows when the server stops: then everybody counts as seen.
package protocol PresenceStore: Sendable {
    /// The clients of one federation; all who ask share one view.
    func presence(of federation: FederationID) -> any Presence
    func forgetPresence(of federation: FederationID)
}

/// When the clients of one federation called.
package protocol Presence: Sendable {
    typealias Snapshot = (lastSeen: [ClientName: Timestamp], absent: Set<ClientName>)

    /// Of clients of whom nothing is known, counts each as seen.
    func presume(_ clients: some Sequence<ClientName>, seenAt now: Timestamp)
    func touch(_ client: ClientName, at now: Timestamp)
    /// The client has ended: it is absent until it calls again.
    func leave(_ client: ClientName)
    func lastSeen(_ client: ClientName) -> Timestamp?
    var snapshot: Snapshot { get }
}

/// Presence in the memory of the only server.
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
