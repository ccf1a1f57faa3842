import Federation
import Synchronization

/// When clients were seen by any server: this server's own knowledge, written to a table and read from it once a second.
///
/// The table may lose its rows when the database crashes; then all clients count as seen.
final class SharedPresence: PresenceStore {
    private let federations = Mutex<[FederationID: SharedMembers]>([:])

    func presence(of federation: FederationID) -> any Presence { members(of: federation) }

    func forgetPresence(of federation: FederationID) { federations.withLock { $0[federation] = nil } }

    /// A client that goes on calling is written again only after a quarter of `seconds`.
    func setSeenSeconds(_ seconds: Double, of federation: FederationID) {
        members(of: federation).setInterval(seconds / 4)
    }

    /// What other servers must be told, of all federations.
    func takeNews() -> [FederationID: [SharedMembers.Sighting]] {
        federations.withLock { $0 }.mapValues { $0.takeNews() }.filter { !$0.value.isEmpty }
    }

    /// Takes in what another server has seen; nothing where this server does not run the federation.
    func apply(_ sighting: SharedMembers.Sighting, of federation: FederationID) {
        federations.withLock { $0[federation] }?.apply(sighting)
    }

    private func members(of federation: FederationID) -> SharedMembers {
        federations.withLock { federations in
            if let known = federations[federation] { return known }
            let members = SharedMembers()
            federations[federation] = members
            return members
        }
    }
}

/// The clients of one federation.
final class SharedMembers: Presence {
    /// The last that is known of a client.
    struct Sighting: Sendable, Hashable {
        let client: ClientName
        let at: Timestamp
        let isAbsent: Bool
    }

    private struct State {
        var members = ClientTable<Seen>()
        /// What the table has, as far as this server knows.
        var written = ClientTable<Seen>()
        var news: Set<ClientName> = []
        var interval = 60.0
    }

    private let state = Mutex(State())

    func setInterval(_ seconds: Double) { state.withLock { $0.interval = seconds } }

    func presume(_ clients: some Sequence<ClientName>, seenAt now: Timestamp) {
        state.withLock { state in
            // The other servers presume the same, so they need not be told for a while.
            for client in clients where state.members[client] == nil {
                state.members[client] = Seen(at: now)
                state.written[client] = Seen(at: now)
            }
        }
    }

    func touch(_ client: ClientName, at now: Timestamp) {
        state.withLock { state in
            let hasReturned = state.members[client]?.isAbsent == true
            state.members[client] = Seen(at: now)
            let isDue = state.written[client].map { now.seconds(since: $0.at) >= state.interval } ?? true
            if hasReturned || isDue { state.news.insert(client) }
        }
    }

    func leave(_ client: ClientName) {
        state.withLock { state in
            state.members[client] = Seen(at: (state.members[client] ?? .never).at, isAbsent: true)
            state.news.insert(client)
        }
    }

    func lastSeen(_ client: ClientName) -> Timestamp? { state.withLock { $0.members[client]?.at } }

    var snapshot: ClientTable<Seen> { state.withLock { $0.members } }

    func takeNews() -> [Sighting] {
        state.withLock { state in
            defer { state.news = [] }
            return state.news.sorted().compactMap { client in
                guard let seen = state.members[client] else { return nil }
                state.written[client] = seen
                return Sighting(client: client, at: seen.at, isAbsent: seen.isAbsent)
            }
        }
    }

    func apply(_ sighting: Sighting) {
        state.withLock { state in
            let seen = Seen(at: sighting.at, isAbsent: sighting.isAbsent)
            if let known = state.members[sighting.client], known.at > seen.at || known == seen { return }
            state.members[sighting.client] = seen
            state.written[sighting.client] = seen
        }
    }
}
