import DurableFiles
package import Federation
import Foundation
import GRDB
package import StoredRows

/// Whole federations on their way to another database, and from one.
extension SQLiteStore: MovableStore {
    package func federationIDs() throws(StoreError) -> [FederationID] {
        try read { database in
            try Row.fetchAll(database, sql: "SELECT id FROM federations WHERE id < '~' ORDER BY key").map { row in
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
        fileprivate let store: SQLiteStore
        fileprivate let key: Int64

        package func rows(of table: StoredTable) throws -> [[StoredValue?]] {
            let owner = table == .federation ? "key" : "federation"
            let order = table.order.map { " ORDER BY \($0)" } ?? ""
            return try store.read { database in
                let rows = try Row.fetchCursor(
                    database,
                    sql:
                        "SELECT \(table.columns.joined(separator: ", ")) FROM \(table.name) WHERE \(owner) = ?\(order)",
                    arguments: [key])
                var values: [[StoredValue?]] = []
                while let row = try rows.next() { values.append(try table.columns.map { try row.stored($0) }) }
                return values
            }
        }

        package func forEachPart(_ body: ([StoredValue?], [UInt8]) throws -> Void) throws {
            let ids = try store.read { database in
                try Int64.fetchAll(
                    database, sql: "SELECT id FROM adapter_parts WHERE federation = ? ORDER BY id", arguments: [key])
            }
            for id in ids {
                let (row, bytes) = try store.read { database in
                    let columns = StoredTable.parts.columns
                    let row = try Row.fetchOne(
                        database,
                        sql: "SELECT \(columns.joined(separator: ", ")), factors FROM adapter_parts WHERE id = ?",
                        arguments: [id])
                    guard let row else { throw StoreError.failed("a part of an adapter has gone") }
                    return (try columns.map { try row.stored($0) }, try row.value("factors") as Data)
                }
                try body(row, Array(bytes))
            }
        }

        package func blob(_ digest: ContentDigest) throws -> LentFile? { try store.lend(digest) }
    }

    /// nil where there is no such federation.
    package func source(_ federation: FederationID) throws(StoreError) -> Source? {
        let key = try read { database in
            try Int64.fetchOne(
                database, sql: "SELECT key FROM federations WHERE id = ?", arguments: [federation.rawValue])
        }
        return key.map { Source(id: federation, store: self, key: $0) }
    }

    /// Takes a federation in. Throws `.exists` where its name is taken.
    package func take(_ source: any FederationSource) throws(StoreError) {
        var blobs: [(SpoolFile, ContentDigest)] = []
        do {
            for digest in try source.heldBlobs() {
                guard let lent = try source.blob(digest) else { continue }
                let spool = stage()
                try FileManager.default.copyItem(atPath: lent.path, toPath: spool.path)
                blobs.append((spool, digest))
            }
            for (spool, digest) in blobs { try directory.keep(spool, as: digest) }
            if !blobs.isEmpty { try directory.syncBlobs() }
        } catch {
            throw storeError(error)
        }
        try write { database in
            try FederationWriter.requireFree(source.id, in: database)
            guard let own = try source.rows(of: .federation).first else {
                throw StoreError.failed("there is no federation \(source.id)")
            }
            let columns = StoredTable.federation.columns
            try database.execute(
                sql: """
                    INSERT INTO federations (id, \(columns.joined(separator: ", ")))
                    VALUES (\(Self.marks(columns.count + 1)))
                    """, arguments: StatementArguments([source.id.rawValue.databaseValue] + own.map(\.databaseValue)))
            let key = database.lastInsertedRowID
            for table in StoredTable.all {
                for row in try source.rows(of: table) { try Self.insert(row, into: table, key: key, database) }
            }
            try source.forEachPart { row, bytes in
                try database.execute(
                    sql: """
                        INSERT INTO adapter_parts
                          (federation, factors, \(StoredTable.parts.columns.joined(separator: ", ")))
                        VALUES (\(Self.marks(row.count + 2)))
                        """,
                    arguments: StatementArguments(
                        [key.databaseValue, Data(bytes).databaseValue] + row.map(\.databaseValue)))
            }
        }
    }

    private static func insert(_ row: [StoredValue?], into table: StoredTable, key: Int64, _ database: Database) throws
    {
        try database.execute(
            sql: """
                INSERT INTO \(table.name) (federation, \(table.columns.joined(separator: ", ")))
                VALUES (\(marks(row.count + 1)))
                """, arguments: StatementArguments([key.databaseValue] + row.map(\.databaseValue)))
    }

    private static func marks(_ count: Int) -> String { Array(repeating: "?", count: count).joined(separator: ", ") }

    /// What stays of deleted federations: name, head, number of events, time, and whether the name is free.
    package func departed() throws(StoreError) -> [[StoredValue?]] {
        let columns = ["id", "head", "events", "at", "is_released"]
        return try read { database in
            try Row.fetchAll(database, sql: "SELECT \(columns.joined(separator: ", ")) FROM departed ORDER BY key")
                .map { row in try columns.map { try row.stored($0) } }
        }
    }

    /// Takes in what stays of deleted federations.
    package func takeDeparted(_ rows: [[StoredValue?]]) throws(StoreError) {
        try write { database in
            for row in rows {
                try database.execute(
                    sql: "INSERT INTO departed (id, head, events, at, is_released) VALUES (?, ?, ?, ?, ?)",
                    arguments: StatementArguments(row.map(\.databaseValue)))
            }
        }
    }
}

extension StoredValue? {
    fileprivate var databaseValue: DatabaseValue {
        switch self {
        case nil: .null
        case .integer(let integer): integer.databaseValue
        case .real(let real): real.databaseValue
        case .text(let text): text.databaseValue
        case .bytes(let bytes): bytes.databaseValue
        }
    }
}
