import Crypto
package import Federation
import Foundation
import ObjectStorage
import StoredRows

#if _endian(big)
    #error("adapters are stored little-endian; rows would have to be swapped here")
#endif

/// What rounds publish: the bytes in objects, one for each batch of parts, and a row for each part.
extension PostgresStore: AdapterStore {
    package func remove(
        _ slot: AdapterSlot, ofRounds rounds: ClosedRange<Int>, in federation: FederationID, under lease: Lease?
    ) throws(StoreError) {
        try transactBlocking { connection in
            guard let key = try Self.key(federation, connection) else { return }
            try Self.require(lease, federation: key, connection)
            let parameters: [any PostgresParameter] = [key, slot.column, rounds.lowerBound, rounds.upperBound]
            let rows = "FROM adapter_parts WHERE federation = $1 AND slot = $2 AND round BETWEEN $3 AND $4"
            try connection.run([
                PostgresStatement(
                    """
                    INSERT INTO garbage (object, since) SELECT DISTINCT object, now_ms() \(rows)
                    ON CONFLICT DO NOTHING
                    """, parameters),
                PostgresStatement("DELETE \(rows)", parameters),
            ])
        }
    }

    package func append(
        _ parts: [AdapterPart], to address: AdapterAddress, under lease: Lease?
    ) throws(StoreError) {
        for part in parts { try part.checkShape() }
        guard !parts.isEmpty else { return }
        let key =
            "r/\(address.federation)/\(address.round)/\(address.slot.column)-"
            + String(UInt64.random(in: .min ... .max), radix: 36)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(parts.reduce(0) { $0 + 4 * $1.values.count })
        var positions: [Int] = []
        for part in parts {
            positions.append(bytes.count)
            part.values.withUnsafeBytes { bytes.append(contentsOf: $0) }
        }
        do { try objects.blocking.put(key, bytes) } catch { throw error.storeError }
        do throws(StoreError) {
            try insert(parts, at: positions, of: bytes, in: key, to: address, under: lease)
        } catch {
            noteGarbage(key)
            throw error
        }
        self.parts.keep(bytes, of: key)
    }

    private func insert(
        _ parts: [AdapterPart], at positions: [Int], of bytes: [UInt8], in object: String, to address: AdapterAddress,
        under lease: Lease?
    ) throws(StoreError) {
        try transactBlocking { connection in
            guard let key = try Self.key(address.federation, connection) else {
                throw StoreError.failed("there is no federation \(address.federation)")
            }
            try Self.require(lease, federation: key, connection)
            _ = try connection.run(
                zip(parts, positions).map { part, position in
                    let length = 4 * part.values.count
                    let digest = Data(SHA256.hash(data: bytes[position..<position + length]))
                    return PostgresStatement(
                        """
                        INSERT INTO adapter_parts
                          (federation, slot, round, name, kind, first_row, row_count, object, object_bytes, position,
                           bytes, digest)
                        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
                        """,
                        [
                            key, address.slot.column, address.round, part.tensor.name, part.tensor.kind.rawValue,
                            part.firstRow, part.rowCount, object, bytes.count, position, length, digest,
                        ])
                })
        }
    }

    /// An object whose rows were not stored is deleted by the next sweep.
    private func noteGarbage(_ object: String) {
        try? transactBlocking { connection in
            _ = try connection.run(
                """
                INSERT INTO garbage (object, since) SELECT $1::text, now_ms()
                WHERE NOT EXISTS (SELECT 1 FROM adapter_parts WHERE object = $1) ON CONFLICT DO NOTHING
                """, [object])
        }
    }

    package func rows(
        _ rows: Int, of tensor: AdapterTensor, at address: AdapterAddress
    ) throws(StoreError) -> [Float] {
        let prefix = try StoredPrefix(rows: rows, self.rows(of: tensor, at: address, below: rows))
        var values: [Float] = []
        values.reserveCapacity(prefix.valueCount)
        for part in prefix.parts {
            let bytes = try parts.bytes(
                part.position..<part.position + part.byteCount, of: part.object, length: part.objectLength)
            guard Array(SHA256.hash(data: bytes)) == part.digest.bytes else {
                throw .failed(
                    "\(tensor.name) \(tensor.kind) of \(address) is damaged: the rows from \(part.firstRow) on have "
                        + "other bytes than were stored")
            }
            bytes.withUnsafeBytes { bytes in
                let taken = min(part.byteCount / 4, prefix.valueCount - values.count)
                values.append(
                    contentsOf: (0..<taken).lazy.map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) })
            }
        }
        return values
    }

    package func rowCount(of tensor: AdapterTensor, at address: AdapterAddress) throws(StoreError) -> Int {
        try StoredPrefix(rows: .max, rows(of: tensor, at: address, below: .max)).rowCount
    }

    private func rows(
        of tensor: AdapterTensor, at address: AdapterAddress, below limit: Int
    ) throws(StoreError) -> [PostgresRow] {
        try pool.runBlocking { connection in
            try connection.run(
                """
                SELECT * FROM adapter_parts WHERE federation = (SELECT key FROM federations WHERE id = $1)
                  AND slot = $2 AND round = $3 AND name = $4 AND kind = $5 AND first_row < $6 ORDER BY first_row
                """,
                [
                    address.federation, address.slot.column, address.round, tensor.name, tensor.kind.rawValue, limit,
                ]
            ).rows
        }
    }

    /// The copy has the same objects.
    package func copy(from source: AdapterAddress, to target: AdapterAddress) throws(StoreError) {
        try transactBlocking { connection in
            guard let key = try Self.key(target.federation, connection) else {
                throw StoreError.failed("there is no federation \(target.federation)")
            }
            try connection.run(
                """
                INSERT INTO adapter_parts
                  (federation, slot, round, name, kind, first_row, row_count, object, object_bytes, position, bytes,
                   digest)
                SELECT $1, $2, $3, name, kind, first_row, row_count, object, object_bytes, position, bytes, digest
                FROM adapter_parts WHERE federation = (SELECT key FROM federations WHERE id = $4) AND slot = $5
                  AND round = $6
                """,
                [
                    key, target.slot.column, target.round, source.federation, source.slot.column, source.round,
                ])
        }
    }

    package func rounds(of slot: AdapterSlot, in federation: FederationID) throws(StoreError) -> [Int] {
        try pool.runBlocking { connection in
            try connection.run(
                """
                SELECT DISTINCT round FROM adapter_parts
                WHERE federation = (SELECT key FROM federations WHERE id = $1) AND slot = $2 ORDER BY round
                """, [federation, slot.column]
            ).rows.map { try $0.value("round") }
        }
    }

    package func hasContent(at address: AdapterAddress) throws(StoreError) -> Bool {
        try pool.runBlocking { connection in
            try connection.run(
                """
                SELECT 1 AS one FROM adapter_parts
                WHERE federation = (SELECT key FROM federations WHERE id = $1) AND slot = $2 AND round = $3 LIMIT 1
                """, [address.federation, address.slot.column, address.round]
            ).first != nil
        }
    }

    package func metrics(ofRounds rounds: [Int], in federation: FederationID) throws(StoreError) -> [Int: Metrics] {
        try pool.runBlocking { connection in
            var metrics: [Int: Metrics] = [:]
            for round in rounds {
                let row = try connection.run(
                    """
                    SELECT sum(loss * samples) / nullif(sum(samples) FILTER (WHERE loss IS NOT NULL), 0) AS loss,
                      sum(accuracy * samples) / nullif(sum(samples) FILTER (WHERE accuracy IS NOT NULL), 0) AS accuracy
                    FROM updates WHERE federation = (SELECT key FROM federations WHERE id = $1) AND round = $2
                      AND left_out_for IS NULL AND NOT is_lost
                    """, [federation, round]
                ).first
                guard let row else { continue }
                metrics[round] = Metrics(loss: try row.optional("loss"), accuracy: try row.optional("accuracy"))
            }
            return metrics
        }
    }

    package func merges(of federation: FederationID) throws(StoreError) -> MergeRecord {
        try transactBlocking { connection in
            guard let reader = try PostgresReader(federation, on: connection) else {
                return MergeRecord(foldedThrough: 0, published: [])
            }
            return try reader.merges()
        }
    }

    package func foldMerges(
        through round: Int, of federation: FederationID, under lease: Lease
    ) throws(StoreError) {
        try transactBlocking { connection in
            guard let key = try Self.key(federation, connection) else { throw StoreError.fenced }
            try Self.require(lease, federation: key, connection)
            try connection.run(
                """
                UPDATE federations SET merges_folded_through = $2 WHERE key = $1 AND merges_folded_through < $2
                """, [key, round])
        }
    }

    static func key(_ federation: FederationID, _ connection: PostgresConnection) throws -> Int64? {
        try connection.run("SELECT key FROM federations WHERE id = $1", [federation]).first?.value("key")
    }

    /// Throws `.fenced` unless the lease is its job's newest and is not spent. Nobody can take the job until the
    /// transaction ends.
    static func require(
        _ lease: Lease?, federation: Int64, _ connection: PostgresConnection
    ) throws {
        guard let lease else { return }
        let held = try connection.run(
            """
            SELECT 1 AS one FROM jobs
            WHERE federation = $1 AND kind = $2 AND round = $3 AND part = $4 AND fence = $5 AND NOT is_done FOR SHARE
            """, [federation, lease.job.kindColumn, lease.job.roundColumn, lease.job.partColumn, lease.fence])
        guard held.first != nil else { throw StoreError.fenced }
    }
}

/// The parts that hold the first rows of a tensor.
private struct StoredPrefix {
    struct Part {
        let firstRow: Int
        let object: String
        let objectLength: Int
        let position: Int
        let byteCount: Int
        let digest: ContentDigest
    }

    private(set) var parts: [Part] = []
    private(set) var valueCount = 0
    private(set) var rowCount = 0

    init(rows: Int, _ found: [PostgresRow]) throws(StoreError) {
        var width: Int?
        for row in found {
            let part = Part(
                firstRow: try row.value("first_row"), object: try row.value("object"),
                objectLength: try row.value("object_bytes"), position: try row.value("position"),
                byteCount: try row.value("bytes"), digest: try row.digest("digest"))
            let partRows: Int = try row.value("row_count")
            guard part.firstRow == rowCount, partRows > 0, part.byteCount > 0, part.byteCount % (4 * partRows) == 0
            else {
                throw .failed(
                    "an adapter's part of \(partRows.counted("row")) at \(part.firstRow) does not follow \(rowCount)")
            }
            let partWidth = part.byteCount / (4 * partRows)
            guard partWidth == width ?? partWidth else {
                throw .failed(
                    "an adapter's part at row \(part.firstRow) is \(partWidth) wide; expected \(width ?? 0)")
            }
            width = partWidth
            rowCount += partRows
            valueCount += min(partRows, rows - part.firstRow) * partWidth
            parts.append(part)
        }
    }
}

extension AdapterPart {
    fileprivate func checkShape() throws(StoreError) {
        guard firstRow >= 0, rowCount > 0, !values.isEmpty, values.count % rowCount == 0 else {
            throw .failed(
                "a part of \(tensor.name) \(tensor.kind) has \(values.count.counted("value")) in "
                    + "\(rowCount.counted("row")); expected whole rows")
        }
    }
}
