package import Federation
import StoredRows

/// Presence, leases, credentials and the feed, for all servers of the database.
extension PostgresStore: PresenceStore, JobStore, StepFeed, CredentialStore {
    package func presence(of federation: FederationID) -> any Presence { presence.presence(of: federation) }
    package func forgetPresence(of federation: FederationID) { presence.forgetPresence(of: federation) }

    package func steps() -> AsyncStream<StoredStep> { feed.steps() }

    package var isShared: Bool { true }

    /// A revocation by another server may be unknown here for five seconds at most.
    package var isBehind: Bool { follower.isBehind(by: 5) }

    package func take(_ job: Job, seconds: Double) async throws(StoreError) -> Lease? {
        let holder = follower.serverID
        return try await transact { connection in
            let columns: [any PostgresParameter] = [
                job.federation, job.kindColumn, job.roundColumn, job.partColumn, holder, Int64(seconds * 1000),
            ]
            let row = try connection.run(job.isPart ? Self.takingPart : Self.taking, columns).first
            return try row.map { Lease(job: job, fence: try $0.value("fence")) }
        }
    }

    private static let taking = """
        INSERT INTO jobs AS known (federation, kind, round, part, holder, fence, expires_at)
        SELECT key, $2, $3, $4, $5, 1, now_ms() + $6 FROM federations WHERE id = $1
        ON CONFLICT (federation, kind, round, part) DO UPDATE SET holder = excluded.holder, fence = known.fence + 1,
          expires_at = excluded.expires_at
        WHERE NOT known.is_done AND (known.holder IS NULL OR known.expires_at <= now_ms())
        RETURNING fence
        """

    /// The row of a part is there as long as its round is shared.
    private static let takingPart = """
        UPDATE jobs SET holder = $5, fence = fence + 1, expires_at = now_ms() + $6
        WHERE federation = (SELECT key FROM federations WHERE id = $1) AND kind = $2 AND round = $3 AND part = $4
          AND NOT is_done AND (holder IS NULL OR expires_at <= now_ms())
        RETURNING fence
        """

    package func renew(_ lease: Lease, seconds: Double) async throws(StoreError) -> Bool {
        try await change(lease, "expires_at = now_ms() + \(Int64(seconds * 1000))")
    }

    package func giveUp(_ lease: Lease) async throws(StoreError) { _ = try await change(lease, "holder = NULL") }

    package func finish(_ lease: Lease) async throws(StoreError) {
        guard try await change(lease, "is_done = true") else { throw .fenced }
    }

    private func change(_ lease: Lease, _ assignment: String) async throws(StoreError) -> Bool {
        try await transact { connection in
            try connection.run(
                """
                UPDATE jobs SET \(assignment) WHERE federation = (SELECT key FROM federations WHERE id = $1)
                  AND kind = $2 AND round = $3 AND part = $4 AND fence = $5 AND NOT is_done AND holder IS NOT NULL
                """,
                [
                    lease.job.federation, lease.job.kindColumn, lease.job.roundColumn, lease.job.partColumn,
                    lease.fence,
                ]
            ).changedCount == 1
        }
    }

    package func holder(ofTokenWithHash hash: ContentDigest) async throws(StoreError) -> CredentialHolder? {
        try await pool.run { connection in
            let client = try connection.run(
                """
                SELECT federations.id, name, revoked_at FROM clients
                JOIN federations ON federations.key = clients.federation WHERE token = $1
                """, [hash]
            ).first
            if let client {
                return .client(
                    try client.text("id"), try client.text("name"),
                    isRevoked: try client.optionalInstant("revoked_at") != nil)
            }
            let token = try connection.run(
                """
                SELECT federations.id AS owner, tokens.* FROM tokens
                JOIN federations ON federations.key = tokens.federation WHERE hash = $1 AND NOT is_withdrawn
                """, [hash]
            ).first
            return try token.map { .issued(try $0.text("owner"), try IssuedToken($0)) }
        }
    }
}
