import Crypto
package import Federation
import Foundation
import ObjectStorage
package import StoredRows

/// Whole federations on their way to another database, and from one.
extension PostgresStore: MovableStore {
    package func federationIDs() throws(StoreError) -> [FederationID] {
        try pool.runBlocking { connection in
            try connection.run("SELECT id FROM federations WHERE left(id, 1) <> '~' ORDER BY key").rows.map { row in
                try row.text("id")
            }
        }
    }

    package func movable(_ federation: FederationID) throws(StoreError) -> (any FederationSource)? {
        try source(federation)
    }

    /// Reads a federation table by table. It must not change meanwhile.
    package struct Source: FederationSource {
        package let id: FederationID
        fileprivate let store: PostgresStore
        fileprivate let key: Int64

        package func rows(of table: StoredTable) throws -> [[StoredValue?]] {
            let owner = table == .federation ? "key" : "federation"
            let columns = table.columns.map { $0 == "holds_blob" ? "(object IS NOT NULL) AS holds_blob" : $0 }
            // Refusals are numbered here, and events have numbers of their federation.
            let order = table.order.map { _ in " ORDER BY \(table.name == "refusals" ? "number" : "id")" } ?? ""
            return try store.pool.runBlocking { connection in
                try connection.run(
                    "SELECT \(columns.joined(separator: ", ")) FROM \(table.name) WHERE \(owner) = $1\(order)", [key]
                ).rows.map { row in try table.columns.map { try row.stored($0) } }
            }
        }

        package func forEachPart(_ body: ([StoredValue?], [UInt8]) throws -> Void) throws {
            let columns = StoredTable.parts.columns
            let rows = try store.pool.runBlocking { connection in
                try connection.run(
                    """
                    SELECT * FROM adapter_parts WHERE federation = $1 ORDER BY slot, round, object, position
                    """, [key]
                ).rows
            }
            for row in rows {
                let position: Int = try row.value("position")
                let bytes = try store.parts.bytes(
                    position..<position + (try row.value("bytes") as Int), of: try row.value("object"),
                    length: try row.value("object_bytes"))
                try body(try columns.map { try row.stored($0) }, bytes)
            }
        }

        package func blob(_ digest: ContentDigest) throws -> LentFile? { try store.lend(digest) }
    }

    /// nil where there is no such federation.
    package func source(_ federation: FederationID) throws(StoreError) -> Source? {
        try pool.runBlocking { connection in
            try connection.run("SELECT key FROM federations WHERE id = $1", [federation]).first.map {
                Source(id: federation, store: self, key: try $0.value("key"))
            }
        }
    }

    /// Takes a federation in: its objects first, then all rows in one transaction. Throws `.exists` where its name is
    /// taken.
    package func take(_ source: any FederationSource) throws(StoreError) {
        do {
            var put: [ContentDigest: String] = [:]
            for digest in try source.heldBlobs() {
                guard let lent = try source.blob(digest), let size = Self.byteCount(of: lent.path) else { continue }
                let key = Self.newKey(of: digest)
                try objects.blocking.put(key, file: lent.path, byteCount: size, sha256: digest.bytes)
                put[digest] = key
            }
            var batch = PartBatch(of: source.id, in: objects)
            try source.forEachPart { row, bytes in try batch.add(row, bytes) }
            try batch.flush()
            let parts = batch.rows
            try transactBlocking { connection in try Self.insert(source, blobs: put, parts: parts, connection) }
        } catch {
            throw error as? StoreError ?? (error as? ObjectError)?.storeError ?? .failed("\(error)")
        }
    }

    private static func insert(
        _ source: any FederationSource, blobs: [ContentDigest: String], parts: [PartBatch.PartRow],
        _ connection: PostgresConnection
    ) throws {
        try requireFree(source.id, connection)
        guard let own = try source.rows(of: .federation).first,
            case .integer(let revision)? = own[StoredTable.federation.index(of: "revision")]
        else { throw StoreError.failed("there is no federation \(source.id)") }
        let columns = StoredTable.federation.columns
        let inserted = try connection.run(
            """
            INSERT INTO federations (id, settings_step, \(columns.joined(separator: ", ")))
            VALUES (\(marks(columns.count + 2))) RETURNING key
            """, [source.id, revision] + own.map { $0 as any PostgresParameter })
        guard let key: Int64 = try inserted.first?.value("key") else { throw StoreError.failed("nothing was stored") }
        for table in StoredTable.all {
            var number = 0
            var statements: [PostgresStatement] = []
            for row in try source.rows(of: table) {
                number += 1
                statements.append(statement(row, of: table, key: key, step: revision, number: number, blobs: blobs))
            }
            for start in stride(from: 0, to: statements.count, by: 1000) {
                try connection.run(Array(statements[start..<min(start + 1000, statements.count)]))
            }
        }
        for start in stride(from: 0, to: parts.count, by: 1000) {
            try connection.run(parts[start..<min(start + 1000, parts.count)].map { $0.statement(federation: key) })
        }
        try connection.run(
            """
            UPDATE federations SET
              event_seq = (SELECT count(*) FROM events WHERE federation = $1),
              event_head = (SELECT hash FROM events WHERE federation = $1 ORDER BY id DESC LIMIT 1),
              client_number = coalesce((SELECT max(number) FROM clients WHERE federation = $1), 0),
              refusal_number = (SELECT count(*) FROM refusals WHERE federation = $1)
            WHERE key = $1
            """, [key])
    }

    /// The insertion of one row, with the columns that only this database has.
    private static func statement(
        _ row: [StoredValue?], of table: StoredTable, key: Int64, step: Int64, number: Int,
        blobs: [ContentDigest: String]
    ) -> PostgresStatement {
        var columns = ["federation"]
        var values: [any PostgresParameter] = [key]
        for (column, value) in zip(table.columns, row) where column != "holds_blob" {
            columns.append(column)
            values.append(value)
        }
        func add(_ column: String, _ value: any PostgresParameter) {
            columns.append(column)
            values.append(value)
        }
        if Self.tablesWithSteps.contains(table.name) {
            add("step", step)
        }
        switch table.name {
        case "refusals": add("number", number)
        case "events": add("id", number)
        case "updates", "templates":
            let isHeld =
                table == .templates || row[StoredTable.updates.index(of: "holds_blob")] == .integer(1)
            if isHeld, case .bytes(let bytes)? = row[table.index(of: "digest")],
                let digest = ContentDigest(bytes: Array(bytes))
            {
                add("object", blobs[digest])
            }
        default: break
        }
        return PostgresStatement(
            "INSERT INTO \(table.name) (\(columns.joined(separator: ", "))) VALUES (\(marks(columns.count)))", values)
    }

    private static let tablesWithSteps: Set = [
        "tokens", "clients", "rounds", "participations", "updates", "refusals", "evaluations", "evaluation_places",
    ]

    private static func marks(_ count: Int) -> String { (1...count).map { "$\($0)" }.joined(separator: ", ") }

    /// What stays of deleted federations: name, head, number of events, time, and whether the name is free.
    package func departed() throws(StoreError) -> [[StoredValue?]] {
        let columns = ["id", "head", "events", "at", "is_released"]
        return try pool.runBlocking { connection in
            try connection.run("SELECT * FROM departed ORDER BY key").rows.map { row in
                try columns.map { try row.stored($0) }
            }
        }
    }

    /// Takes in what stays of deleted federations.
    package func takeDeparted(_ rows: [[StoredValue?]]) throws(StoreError) {
        try transactBlocking { connection in
            for row in rows {
                try connection.run(
                    "INSERT INTO departed (id, head, events, at, is_released) VALUES ($1, $2, $3, $4, $5)",
                    row.map { $0 as any PostgresParameter })
            }
        }
    }
}

/// Puts parts into objects, many into each, and collects their rows.
private struct PartBatch {
    /// A row of a part whose object is in the bucket.
    struct PartRow: Sendable {
        let values: [StoredValue?]
        let object: String
        let objectLength: Int
        let position: Int
        let byteCount: Int
        let digest: ContentDigest

        func statement(federation: Int64) -> PostgresStatement {
            let columns = StoredTable.parts.columns.filter { $0 != "digest" }
            let own = zip(StoredTable.parts.columns, values).filter { $0.0 != "digest" }.map {
                $0.1 as any PostgresParameter
            }
            let all = ["federation", "object", "object_bytes", "position", "bytes", "digest"] + columns
            return PostgresStatement(
                """
                INSERT INTO adapter_parts (\(all.joined(separator: ", ")))
                VALUES (\((1...all.count).map { "$\($0)" }.joined(separator: ", ")))
                """, [federation, object, objectLength, position, byteCount, digest] + own)
        }
    }

    /// An object has about so many bytes.
    private static let size = 8 << 20

    private let federation: FederationID
    private let objects: ObjectBucket
    private(set) var rows: [PartRow] = []
    private var bytes: [UInt8] = []
    private var pending: [(values: [StoredValue?], range: Range<Int>, digest: ContentDigest)] = []

    init(of federation: FederationID, in objects: ObjectBucket) {
        self.federation = federation
        self.objects = objects
    }

    mutating func add(_ row: [StoredValue?], _ part: [UInt8]) throws {
        guard let digest = ContentDigest(bytes: Array(SHA256.hash(data: part))) else {
            throw StoreError.failed("SHA-256 of another length")
        }
        if case .bytes(let stored)? = row[StoredTable.parts.index(of: "digest")], Array(stored) != digest.bytes {
            throw StoreError.failed("a part of an adapter has other bytes than were stored")
        }
        pending.append((row, bytes.count..<bytes.count + part.count, digest))
        bytes += part
        if bytes.count >= Self.size { try flush() }
    }

    mutating func flush() throws {
        guard !pending.isEmpty else { return }
        let key = "r/\(federation)/taken-\(String(UInt64.random(in: .min ... .max), radix: 36))"
        try objects.blocking.put(key, bytes)
        rows += pending.map {
            PartRow(
                values: $0.values, object: key, objectLength: bytes.count, position: $0.range.lowerBound,
                byteCount: $0.range.count, digest: $0.digest)
        }
        pending = []
        bytes = []
    }
}
