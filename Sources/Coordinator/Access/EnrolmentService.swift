package import Federation
import Foundation

/// Registers, lists and revokes clients.
package struct EnrolmentService: Sendable {
    let runtime: FederationRuntime
    let access: Access
    let credentials: any CredentialStore

    /// A client with its granted ranks and the time of its last call.
    package struct Enrolled: Sendable {
        package let client: Client
        package let ranks: [String: Int]
        package let lastSeen: Timestamp
    }

    /// Registers a client under the token that the client made, or confirms its registration.
    ///
    /// - Parameter enrolment: the id of the enrolment token that admits the client. The use of it is stored in the same
    ///   step as the new client. A client that is already registered takes no use.
    package func register(
        _ name: ClientName, rank: Int, token: String, capabilities: String, enrolment: String? = nil,
        in federation: FederationID
    ) async throws(ServiceError) -> (enrolled: Enrolled, isNew: Bool) {
        let session = try runtime.session(federation)
        guard Access.isClientToken(token) else { throw .badToken }
        let hash = Access.hash(token)
        let principal = Principal.client(federation, name)
        guard access.isFree(hash, for: principal), try await isFree(hash, for: name, of: federation) else {
            throw .badToken
        }
        let capabilities = Capabilities(text: capabilities) {
            try JSONDecoder().decode(Capabilities.Claims.self, from: Data($0.utf8))
        }
        if let expected = session.snapshot.machine.settings.baseModel.sha256, let found = capabilities.base,
            ContentDigest(hex: found) != expected
        {
            throw .registration(.otherBase(expected: expected, found: String(found.prefix(100))))
        }
        let event = FederationMachine.Event.register(
            name: name, rank: rank, token: hash, capabilities: capabilities, enrolment: enrolment)
        let registration = try await session.reply(to: event)
        access.grant(principal, toTokenWithHash: hash)
        session.touch(name)
        return (enrolled(registration.client, in: session), registration.isNew)
    }

    /// Whether no other client has registered with this token, on any server.
    private func isFree(
        _ hash: ContentDigest, for name: ClientName, of federation: FederationID
    ) async throws(ServiceError) -> Bool {
        do throws(StoreError) {
            switch try await credentials.holder(ofTokenWithHash: hash) {
            case .client(let owner, let client, _): return (owner, client) == (federation, name)
            case .issued: return false
            case nil: return true
            }
        } catch {
            throw .store(error)
        }
    }

    /// The federation's clients, in ascending order of name.
    ///
    /// - Parameters:
    ///   - after: only clients whose names come later.
    ///   - limit: how many are returned at most; nil for all.
    /// - Returns: whether more clients follow, and the open round if there is one, besides the clients.
    package func list(
        in federation: FederationID, after: ClientName? = nil, limit: Int? = nil
    ) throws(ServiceError) -> (clients: [Enrolled], hasMore: Bool, round: RoundMachine?) {
        let session = try runtime.session(federation)
        let machine = session.snapshot.machine
        var found = Array(machine.clients.elements(after: after).prefix(limit.map { $0 + 1 } ?? .max))
        let hasMore = limit.map { found.count > $0 } ?? false
        if hasMore { found.removeLast() }
        return (found.map { enrolled($0.value, in: session) }, hasMore, machine.round)
    }

    /// One client; throws where the federation has none of this name.
    package func client(_ name: ClientName, in federation: FederationID) throws(ServiceError) -> Enrolled {
        let session = try runtime.session(federation)
        guard let client = session.snapshot.machine.clients[name] else { throw .unknownClient(name) }
        return enrolled(client, in: session)
    }

    /// - Parameter byItself: whether the client asks for it. Its place in the federation then stays taken until the
    ///   admin revokes it too.
    package func revoke(
        _ name: ClientName, byItself: Bool = false, in federation: FederationID
    ) async throws(ServiceError) {
        let session = try runtime.session(federation)
        try await session.reply(to: .revoke(name, byItself: byItself))
        if let client = session.snapshot.machine.clients[name] {
            access.revoke(.client(federation, name), tokenWithHash: client.token)
        }
    }

    private func enrolled(_ client: Client, in session: FederationSession) -> Enrolled {
        Enrolled(
            client: client,
            ranks: session.snapshot.machine.settings.adapter.ranks(forClientRank: client.rank),
            lastSeen: max(session.lastSeen(client.name) ?? client.lastSeenAt, client.lastSeenAt))
    }
}
