package import Federation
import StoredRows

/// Rounds that several workers add up: a row for each part, whose sum is an object.
extension PostgresStore: PartStore {
    package var workerCount: Int { follower.workerCount }

    package func share(_ round: SharedRound, under lease: Lease) async throws(StoreError) -> SharedRound {
        try await transact { connection in
            let (key, number) = try Self.round(of: lease, connection)
            if let known = try Self.shared(number, of: key, connection), known.basis == round.basis { return known }
            let statements =
                PostgresWriter.releaseParts.map { PostgresStatement($0, [key, number]) }
                + round.parts.flatMap { part in
                    [
                        PostgresStatement(
                            "INSERT INTO jobs (federation, kind, round, part) VALUES ($1, 'part', $2, $3)",
                            [key, number, part.index]),
                        PostgresStatement(
                            """
                            INSERT INTO round_parts (federation, round, part, basis, first_client, last_client)
                            VALUES ($1, $2, $3, $4, $5, $6)
                            """, [key, number, part.index, round.basis, part.first, part.last]),
                    ]
                }
            try connection.run(statements)
            return round
        }
    }

    package func sharedRound(_ round: Int, of federation: FederationID) async throws(StoreError) -> SharedRound? {
        try await transact { connection in
            guard let key = try Self.key(federation, connection) else { return nil }
            return try Self.shared(round, of: key, connection)
        }
    }

    package func finish(
        _ lease: Lease, basis: ContentDigest, with result: PartResult
    ) async throws(StoreError) {
        let claims = ObjectClaims(publications) { self.scratch.blobs.unpin($0) }
        let columns = try PartColumns(result, object: claims.take)
        do {
            try await transact { connection in
                guard let key = try Self.key(lease.job.federation, connection) else { throw StoreError.fenced }
                let job = lease.job
                let spent = try connection.run(
                    """
                    UPDATE jobs SET is_done = true, holder = NULL
                    WHERE federation = $1 AND kind = $2 AND round = $3 AND part = $4 AND fence = $5 AND NOT is_done
                    """, [key, job.kindColumn, job.roundColumn, job.partColumn, lease.fence])
                let noted = try connection.run(
                    """
                    UPDATE round_parts SET digest = $5, bytes = $6, object = $7, lost = $8, failed_for = $9,
                      object_position = $10
                    WHERE federation = $1 AND round = $2 AND part = $3 AND basis = $4
                      AND digest IS NULL AND lost IS NULL AND failed_for IS NULL
                    """,
                    [
                        key, job.roundColumn, job.partColumn, basis, columns.digest, columns.byteCount,
                        columns.place?.key, columns.lost, columns.failedFor, columns.place?.position,
                    ])
                guard spent.changedCount == 1, noted.changedCount == 1 else { throw StoreError.fenced }
            }
        } catch {
            // The row may have the object after all: the answer to the commit may be lost.
            claims.detach()
            throw error
        }
        claims.end()
    }

    package func unshare(under lease: Lease) async throws(StoreError) {
        try await transact { connection in
            let (key, number) = try Self.round(of: lease, connection)
            _ = try connection.run(PostgresWriter.releaseParts.map { PostgresStatement($0, [key, number]) })
        }
    }

    /// The federation and the round whose aggregation's lease this is; throws `.fenced` unless it is valid.
    private static func round(of lease: Lease, _ connection: PostgresConnection) throws -> (key: Int64, number: Int) {
        guard case .aggregation(let number) = lease.job.kind, let key = try key(lease.job.federation, connection) else {
            throw StoreError.fenced
        }
        try require(lease, federation: key, connection)
        return (key, number)
    }

    private static func shared(
        _ round: Int, of key: Int64, _ connection: PostgresConnection
    ) throws -> SharedRound? {
        let rows = try connection.run(
            "SELECT * FROM round_parts WHERE federation = $1 AND round = $2 ORDER BY part", [key, round]
        ).rows
        guard let first = rows.first else { return nil }
        var results: [Int: PartResult] = [:]
        let parts = try rows.map { row in
            let index: Int = try row.value("part")
            results[index] = try PartResult(row)
            return RoundPart(index: index, first: try row.text("first_client"), last: try row.text("last_client"))
        }
        return SharedRound(basis: try first.digest("basis"), parts: parts, results: results)
    }
}

/// A part's result as it stands in columns.
private struct PartColumns {
    var digest: ContentDigest?
    var byteCount: Int?
    var place: ObjectPlace?
    var lost: String?
    var failedFor: String?

    /// - Parameter claim: takes the object that was published with these bytes.
    init(_ result: PartResult, object claim: (ContentDigest) throws(StoreError) -> ObjectPlace) throws(StoreError) {
        switch result {
        case .sum(let digest, let byteCount):
            self.digest = digest
            self.byteCount = byteCount
            place = try claim(digest)
        case .lost(let reasons):
            let texts = Dictionary(uniqueKeysWithValues: reasons.map { ($0.key.rawValue, $0.value) })
            do { lost = try storedJSON(texts) } catch { throw .failed("\(error)") }
        case .hopeless(let reason): failedFor = reason
        }
    }
}

extension PartResult {
    /// Reads the row of a part; nil for a part that nobody has finished.
    fileprivate init?(_ row: PostgresRow) throws {
        if let byteCount: Int = try row.optional("bytes") {
            self = .sum(try row.digest("digest"), byteCount: byteCount)
        } else if try row.stored("lost") != nil {
            let reasons = try row.json("lost", as: [String: String].self).map { name, reason in
                (try ClientName(name), reason)
            }
            self = .lost(Dictionary(uniqueKeysWithValues: reasons))
        } else if let reason: String = try row.optional("failed_for") {
            self = .hopeless(reason)
        } else {
            return nil
        }
    }
}
