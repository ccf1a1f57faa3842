package import Federation
import GRDB
import StoredRows

/// Presence, leases, shared rounds and the feed are in this process's memory, because one server alone has the data
/// directory.
extension SQLiteStore: PresenceStore, JobStore, PartStore, StepFeed {
    package func presence(of federation: FederationID) -> any Presence { presence.presence(of: federation) }
    package func forgetPresence(of federation: FederationID) { presence.forgetPresence(of: federation) }

    package func take(_ job: Job, seconds: Double) async throws(StoreError) -> Lease? {
        if case .part(let round, let index) = job.kind {
            guard parts.round(round, of: job.federation)?.open.contains(where: { $0.index == index }) == true else {
                return nil
            }
        }
        return leases.take(job, seconds: seconds)
    }

    package func renew(_ lease: Lease, seconds: Double) async throws(StoreError) -> Bool {
        leases.renew(lease, seconds: seconds)
    }

    package func giveUp(_ lease: Lease) async throws(StoreError) { leases.end(lease) }
    package func finish(_ lease: Lease) async throws(StoreError) { leases.end(lease) }

    package var workerCount: Int { 1 }

    package func share(_ round: SharedRound, under lease: Lease) async throws(StoreError) -> SharedRound {
        guard leases.isInForce(lease), case .aggregation(let number) = lease.job.kind else { throw .fenced }
        let (shared, replaced) = parts.share(round, number: number, of: lease.job.federation)
        for digest in replaced { publications.end(digest) }
        return shared
    }

    package func sharedRound(_ round: Int, of federation: FederationID) async throws(StoreError) -> SharedRound? {
        parts.round(round, of: federation)
    }

    package func finish(
        _ lease: Lease, basis: ContentDigest, with result: PartResult
    ) async throws(StoreError) {
        guard leases.isInForce(lease), case .part(let round, let index) = lease.job.kind,
            parts.note(result, part: index, round: round, basis: basis, of: lease.job.federation)
        else { throw .fenced }
        leases.end(lease)
    }

    package func unshare(under lease: Lease) async throws(StoreError) {
        guard leases.isInForce(lease), case .aggregation(let number) = lease.job.kind else { throw .fenced }
        endSharing(of: number, in: lease.job.federation)
    }

    /// Forgets what is shared of a round; the next sweep deletes its blobs.
    func endSharing(of round: Int, in federation: FederationID) {
        for digest in parts.end(round, of: federation) { publications.end(digest) }
    }

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
