package import Federation
import Foundation

/// Registers, lists and revokes clients.
package struct EnrolmentService: Sendable {
    let runtime: FederationRuntime
    let access: Access
    let credentials: any CredentialStore

    /// A client with what it was granted and when it last called.
    package struct Enrolled: Sendable {
        package let client: Client
        package let ranks: [String: Int]
        package let lastSeen: Timestamp
    }

    /// Registers a client under the token that it made, or confirms that it is registered.
    ///
    /// - Parameter enrolment: the id of the enrolment token that lets it in; a use of it is stored as taken together with
    ///   the new client, and none is taken by one that is registered already.
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

    /// Whether nobody has registered with a token, on whichever server, but this client.
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

    /// In ascending name.
    package func list(in federation: FederationID) throws(ServiceError) -> [Enrolled] {
        let session = try runtime.session(federation)
        return session.snapshot.machine.clients.values.sorted { $0.name < $1.name }.map { enrolled($0, in: session) }
    }

    package func client(_ name: ClientName, in federation: FederationID) throws(ServiceError) -> Enrolled {
        let session = try runtime.session(federation)
        guard let client = session.snapshot.machine.clients[name] else { throw .unknownClient(name) }
        return enrolled(client, in: session)
    }

    /// - Parameter byItself: whether the client asks for it: its place then stays taken until the admin does too.
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
