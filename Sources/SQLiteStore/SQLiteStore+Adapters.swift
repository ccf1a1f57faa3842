import Crypto
import Dispatch
package import Federation
import Foundation
import GRDB
import StoredRows
import Synchronization

#if _endian(big)
    #error("adapters are stored little-endian; rows would have to be swapped here")
#endif

extension SQLiteStore: AdapterStore {
    package func remove(
        _ slot: AdapterSlot, ofRounds rounds: ClosedRange<Int>, in federation: FederationID, under lease: Lease?
    ) throws(StoreError) {
        if let lease, !leases.isInForce(lease) { throw .fenced }
        try write { database in
            try database.execute(
                sql: """
                    DELETE FROM adapter_parts
                    WHERE federation = (SELECT key FROM federations WHERE id = ?) AND slot = ? AND round BETWEEN ? AND ?
                    """,
                arguments: [federation.rawValue, slot.column, rounds.lowerBound, rounds.upperBound])
        }
    }

    package func append(
        _ parts: [AdapterPart], to address: AdapterAddress, under lease: Lease?
    ) throws(StoreError) {
        if let lease, !leases.isInForce(lease) { throw .fenced }
        for part in parts { try part.checkShape() }
        // Computed before the transaction, so that no other commit waits for it.
        let digests = AdapterPart.digests(of: parts)
        try write(byteCount: parts.reduce(0) { $0 + 4 * $1.values.count }) { database in
            let key = try Int64.fetchOne(
                database, sql: "SELECT key FROM federations WHERE id = ?", arguments: [address.federation.rawValue])
            guard let key else { throw StoreError.failed("there is no federation \(address.federation)") }
            // A cached statement would keep its last arguments, and with them memory that it does not own.
            let statement = try database.makeStatement(
                sql: """
                    INSERT INTO adapter_parts
                      (federation, slot, round, name, kind, first_row, row_count, factors, digest)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """)
            for (part, digest) in zip(parts, digests) {
                try part.values.withUnsafeBytes { bytes in
                    try statement.execute(arguments: [
                        key, address.slot.column, address.round, part.tensor.name, part.tensor.kind.rawValue,
                        part.firstRow, part.rowCount, Data(lending: bytes),
                        digest,
                    ])
                }
            }
        }
    }

    package func rows(
        _ rows: Int, of tensor: AdapterTensor, at address: AdapterAddress
    ) throws(StoreError) -> [Float] {
        try read { database in
            let arguments = PrefixShape.arguments(rows: rows, of: tensor, at: address)
            let prefix = try PrefixShape(rows: rows, query: arguments, in: database)
            return try [Float](unsafeUninitializedCapacity: prefix.valueCount) { values, count in
                var rest = UnsafeMutableRawBufferPointer(values)
                let parts = try Row.fetchCursor(
                    database.cachedStatement(sql: PrefixShape.select("factors, digest, first_row")),
                    arguments: arguments)
                while let part = try parts.next() {
                    let digest: Data? = part[1]
                    try part.withUnsafeData(atIndex: 0) { data in
                        if let digest, let data, Data(SHA256.hash(data: data)) != digest {
                            throw StoreError.failed(
                                "\(tensor.name) \(tensor.kind) of \(address) is damaged: the rows from \(part[2] as Int) on "
                                    + "have other bytes than were stored")
                        }
                        let taken = data.map { $0.copyBytes(to: rest) } ?? 0
                        rest = UnsafeMutableRawBufferPointer(rebasing: rest[taken...])
                    }
                }
                guard rest.isEmpty else { throw StoreError.failed("\(tensor.name) \(tensor.kind) ends early") }
                count = prefix.valueCount
            }
        }
    }

    package func rowCount(of tensor: AdapterTensor, at address: AdapterAddress) throws(StoreError) -> Int {
        try read { database in
            let arguments = PrefixShape.arguments(rows: .max, of: tensor, at: address)
            return try PrefixShape(rows: .max, query: arguments, in: database).rowCount
        }
    }

    package func copy(from source: AdapterAddress, to target: AdapterAddress) throws(StoreError) {
        let ids = try read { database in
            try Int64.fetchAll(
                database,
                sql: """
                    SELECT id FROM adapter_parts
                    WHERE federation = (SELECT key FROM federations WHERE id = ?) AND slot = ? AND round = ? ORDER BY id
                    """, arguments: [source.federation.rawValue, source.slot.column, source.round])
        }
        // Copied in batches, so that no other commit waits for all of them.
        for start in stride(from: 0, to: ids.count, by: 16) {
            let some = ids[start..<min(start + 16, ids.count)].map(String.init).joined(separator: ", ")
            try write { database in
                try database.execute(
                    sql: """
                        INSERT INTO adapter_parts
                          (federation, slot, round, name, kind, first_row, row_count, factors, digest)
                        SELECT (SELECT key FROM federations WHERE id = ?), ?, ?, name, kind, first_row, row_count, factors,
                          digest
                        FROM adapter_parts WHERE id IN (\(some)) ORDER BY id
                        """, arguments: [target.federation.rawValue, target.slot.column, target.round])
            }
        }
    }

    package func rounds(of slot: AdapterSlot, in federation: FederationID) throws(StoreError) -> [Int] {
        try read { database in
            try Int.fetchAll(
                database,
                sql: """
                    SELECT DISTINCT round FROM adapter_parts
                    WHERE federation = (SELECT key FROM federations WHERE id = ?) AND slot = ? ORDER BY round
                    """, arguments: [federation.rawValue, slot.column])
        }
    }

    package func hasContent(at address: AdapterAddress) throws(StoreError) -> Bool {
        try read { database in
            try Bool.fetchOne(
                database,
                sql: """
                    SELECT EXISTS (SELECT 1 FROM adapter_parts
                      WHERE federation = (SELECT key FROM federations WHERE id = ?) AND slot = ? AND round = ?)
                    """, arguments: [address.federation.rawValue, address.slot.column, address.round]) ?? false
        }
    }

    package func metrics(ofRounds rounds: [Int], in federation: FederationID) throws(StoreError) -> [Int: Metrics] {
        try read { database in
            let statement = try database.makeStatement(
                sql: """
                    SELECT sum(loss * samples) / total(iif(loss IS NULL, 0, samples)) AS loss,
                      sum(accuracy * samples) / total(iif(accuracy IS NULL, 0, samples)) AS accuracy
                    FROM updates WHERE federation = (SELECT key FROM federations WHERE id = ?) AND round = ?
                      AND left_out_for IS NULL AND is_lost = 0
                    """)
            var metrics: [Int: Metrics] = [:]
            for round in rounds {
                guard let row = try Row.fetchOne(statement, arguments: [federation.rawValue, round]) else { continue }
                metrics[round] = Metrics(loss: row["loss"], accuracy: row["accuracy"])
            }
            return metrics
        }
    }

    package func merges(of federation: FederationID) throws(StoreError) -> MergeRecord {
        try read { database in
            guard let reader = try FederationReader(federation, in: database) else {
                return MergeRecord(foldedThrough: 0, published: [])
            }
            return try reader.merges()
        }
    }

    package func foldMerges(
        through round: Int, of federation: FederationID, under lease: Lease
    ) throws(StoreError) {
        guard leases.isInForce(lease) else { throw .fenced }
        try write { database in
            try database.execute(
                sql: "UPDATE federations SET merges_folded_through = ? WHERE id = ? AND merges_folded_through < ?",
                arguments: [round, federation.rawValue, round])
        }
    }
}

/// The number of values in the first rows of a tensor, known before any of them is read.
private struct PrefixShape {
    private(set) var valueCount = 0
    private(set) var rowCount = 0

    static func select(_ columns: String) -> String {
        """
        SELECT \(columns) FROM adapter_parts
        WHERE federation = (SELECT key FROM federations WHERE id = ?) AND slot = ? AND round = ? AND name = ?
          AND kind = ? AND first_row < ? ORDER BY first_row
        """
    }

    static func arguments(rows: Int, of tensor: AdapterTensor, at address: AdapterAddress) -> StatementArguments {
        [
            address.federation.rawValue, address.slot.column, address.round, tensor.name, tensor.kind.rawValue, rows,
        ]
    }

    init(rows: Int, query arguments: StatementArguments, in database: Database) throws {
        let statement = try database.cachedStatement(sql: Self.select("first_row, row_count, length(factors) AS bytes"))
        var width: Int?
        let parts = try Row.fetchCursor(statement, arguments: arguments)
        while let part = try parts.next() {
            let firstRow: Int = try part.value("first_row")
            let partRows: Int = try part.value("row_count")
            let bytes: Int = try part.value("bytes")
            guard firstRow == rowCount, partRows > 0, bytes > 0, bytes % (4 * partRows) == 0 else {
                throw StoreError.failed(
                    "an adapter's part of \(partRows.counted("row")) at \(firstRow) does not follow \(rowCount)")
            }
            let partWidth = bytes / (4 * partRows)
            guard partWidth == width ?? partWidth else {
                throw StoreError.failed(
                    "an adapter's part at row \(firstRow) is \(partWidth) wide; expected \(width ?? 0)")
            }
            width = partWidth
            rowCount += partRows
            valueCount += min(partRows, rows - firstRow) * partWidth
        }
    }
}

extension AdapterPart {
    /// SHA-256 of each part's bytes, on all processors.
    fileprivate static func digests(of parts: [AdapterPart]) -> [Data] {
        let digests = Mutex([Data](repeating: Data(), count: parts.count))
        DispatchQueue.concurrentPerform(iterations: parts.count) { index in
            let digest = parts[index].values.withUnsafeBytes { Data(SHA256.hash(data: $0)) }
            digests.withLock { $0[index] = digest }
        }
        return digests.withLock { $0 }
    }

    /// SQLite refuses a blob of more than 10⁹ bytes.
    fileprivate func checkShape() throws(StoreError) {
        guard firstRow >= 0, rowCount > 0, !values.isEmpty, values.count % rowCount == 0,
            values.count <= 1_000_000_000 / 4
        else {
            throw .failed(
                "a part of \(tensor.name) \(tensor.kind) has \(values.count.counted("value")) in \(rowCount.counted("row")); "
                    + "expected whole rows of at most 250000000 values in all")
        }
    }
}

extension Data {
    /// Shares the memory of `bytes`, and is valid only as long as they are.
    fileprivate init(lending bytes: UnsafeRawBufferPointer) {
        self =
            bytes.baseAddress.map {
                Data(
                    bytesNoCopy: UnsafeMutableRawPointer(mutating: $0), count: bytes.count, deallocator: .none)
            } ?? Data()
    }
}
