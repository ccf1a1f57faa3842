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

/// What is known of a client's calls.
package struct Seen: Sendable, Hashable {
    /// When the client was last seen.
    package var at: Timestamp
    /// Whether it has said since then that it has ended.
    package var isAbsent: Bool

    package init(at: Timestamp, isAbsent: Bool = false) {
        self.at = at
        self.isAbsent = isAbsent
    }

    /// A client that has ended and was never seen.
    package static let never = Seen(at: Timestamp(milliseconds: 0), isAbsent: true)
}

/// When the clients of one federation were seen.
package protocol Presence: Sendable {
    /// Counts clients as seen at `now`, where nothing is known of them.
    func presume(_ clients: some Sequence<ClientName>, seenAt now: Timestamp)
    /// Notes that the client called: it counts as seen at `now` and is no longer absent.
    func touch(_ client: ClientName, at now: Timestamp)
    /// Notes that the client has ended: it is absent until it calls again.
    func leave(_ client: ClientName)
    /// When the client was last seen; nil where nothing is known of it.
    func lastSeen(_ client: ClientName) -> Timestamp?
    var snapshot: ClientTable<Seen> { get }
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
    private let members = Mutex(ClientTable<Seen>())

    func presume(_ clients: some Sequence<ClientName>, seenAt now: Timestamp) {
        members.withLock { members in
            for client in clients where members[client] == nil { members[client] = Seen(at: now) }
        }
    }

    func touch(_ client: ClientName, at now: Timestamp) { members.withLock { $0[client] = Seen(at: now) } }

    func leave(_ client: ClientName) {
        members.withLock { $0[client] = Seen(at: ($0[client] ?? .never).at, isAbsent: true) }
    }

    func lastSeen(_ client: ClientName) -> Timestamp? { members.withLock { $0[client]?.at } }

    var snapshot: ClientTable<Seen> { members.withLock { $0 } }
}
