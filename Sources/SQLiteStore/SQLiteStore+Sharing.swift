package import Federation
import GRDB
import StoredRows

/// Presence, leases and the feed are in this process's memory, because one server alone has the data directory.
extension SQLiteStore: PresenceStore, JobStore, StepFeed {
    package func presence(of federation: FederationID) -> any Presence { presence.presence(of: federation) }
    package func forgetPresence(of federation: FederationID) { presence.forgetPresence(of: federation) }

    package func take(_ job: Job, seconds: Double) async throws(StoreError) -> Lease? {
        leases.take(job, seconds: seconds)
    }

    package func renew(_ lease: Lease, seconds: Double) async throws(StoreError) -> Bool {
        leases.renew(lease, seconds: seconds)
    }

    package func giveUp(_ lease: Lease) async throws(StoreError) { leases.end(lease) }
    package func finish(_ lease: Lease) async throws(StoreError) { leases.end(lease) }

    package func steps() -> AsyncStream<StoredStep> { feed.steps() }
}

extension SQLiteStore: CredentialStore {
    package func holder(ofTokenWithHash hash: ContentDigest) async throws(StoreError) -> CredentialHolder? {
        try await fetch { database in
            let client = try Row.fetchOne(
                database,
                sql: """
                    SELECT federations.id, name, revoked_at FROM clients
                    JOIN federations ON federations.key = clients.federation WHERE token = ? AND federations.id < '~'
                    """, arguments: [hash.data])
            if let client {
                return .client(
                    try client.text("id"), try client.text("name"),
                    isRevoked: try client.optionalInstant("revoked_at") != nil)
            }
            return try FederationReader.issuedToken(withHash: hash, in: database).map { .issued($0, $1) }
        }
    }
}
