import Crypto
package import Federation
import Foundation
import GRDB

/// Archives of one federation: a database with this federation alone, and the blobs that it needs, as in a backup.
/// Unpacked, an archive is a data folder.
extension SQLiteStore: ArchiveStore {
    /// Writes a federation to a file of the spool. The federation stays unchanged, and later changes of it are not in
    /// the archive.
    package func archive(_ federation: FederationID) async throws(StoreError) -> SpoolFile {
        let spool = stage()
        return try await run(on: archiving) { () throws(StoreError) in
            let copy = spool.path + ".sqlite"
            defer { for suffix in ["", "-wal", "-shm", "-journal"] { unlink(copy + suffix) } }
            do {
                // While this is open, no blob is deleted.
                let blobs = try DataDirectory(reading: self.directory.path)
                defer { blobs.unlock() }
                try self.copyRows(of: federation, to: copy)
                let archive = try self.writeArchive(at: spool.path, database: copy)
                if let finding = archive.findings.first { throw StoreError.failed(finding) }
                return spool
            } catch {
                unlink(spool.path)
                throw self.storeError(error)
            }
        }
    }

    /// Takes in the federation of an archive.
    ///
    /// - Throws: `.exists` where its name is taken; `.unsound` where the archive is invalid.
    package func takeArchive(_ spool: SpoolFile) async throws(StoreError) -> StoredFederation {
        try await run(on: archiving) { () throws(StoreError) in
            do {
                let unpacked = try UnpackedArchive(spool, in: self.directory, spool: self.stage)
                defer { unpacked.discard() }
                return try self.insert(unpacked)
            } catch let error as TarReader.Failure {
                throw .unsound("\(error)")
            } catch let error as UnpackedArchive.Failure {
                throw .unsound("\(error)")
            } catch {
                throw self.storeError(error)
            }
        }
    }
}

/// The tables with rows of a federation. The rows of a table refer only to tables before it.
private enum FederationTables {
    struct Table {
        let name: String
        /// Whether the database assigns its `id`.
        var isNumbered = false
    }

    static let small: [Table] = [
        .init(name: "tokens"), .init(name: "clients"), .init(name: "rounds"), .init(name: "participations"),
        .init(name: "updates"), .init(name: "evaluations"), .init(name: "evaluation_places"),
        .init(name: "refusals", isNumbered: true), .init(name: "events", isNumbered: true),
        .init(name: "templates"), .init(name: "configurations"), .init(name: "client_lists"),
    ]
    static let parts = Table(name: "adapter_parts", isNumbered: true)

    /// The columns of a table, except the federation's key and the database's own number.
    static func columns(of table: Table, in database: Database) throws -> String {
        try Row.fetchAll(database, sql: "SELECT name FROM pragma_table_info(?)", arguments: [table.name])
            .map { $0["name"] as String }
            .filter { $0 != "federation" && !(table.isNumbered && $0 == "id") }
            .joined(separator: ", ")
    }

    static func copy(
        _ table: Table, from source: String, key: Int64, to target: String, key newKey: Int64,
        where condition: String = "1",
        in database: Database
    ) throws {
        let columns = try columns(of: table, in: database)
        let order = table.isNumbered ? " ORDER BY id" : ""
        try database.execute(
            sql: """
                INSERT INTO \(target).\(table.name) (federation, \(columns))
                SELECT ?, \(columns) FROM \(source).\(table.name) WHERE federation = ? AND \(condition)\(order)
                """, arguments: [newKey, key])
    }

    static func federationColumns(in database: Database) throws -> String {
        try Row.fetchAll(database, sql: "SELECT name FROM pragma_table_info('federations')")
            .map { $0["name"] as String }.filter { $0 != "key" && $0 != "id" }.joined(separator: ", ")
    }
}

extension SQLiteStore {
    /// Writes a database with one federation in it.
    private func copyRows(of federation: FederationID, to path: String) throws {
        let queue = try DatabaseQueue(path: path)
        defer { try? queue.close() }
        try Schema.migrator.migrate(queue)
        try queue.inDatabase { database in
            try database.execute(sql: "PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF")
            try database.execute(sql: "ATTACH ? AS server", arguments: [directory.databasePath])
            try database.inTransaction {
                let key = try Int64.fetchOne(
                    database, sql: "SELECT key FROM server.federations WHERE id = ?", arguments: [federation.rawValue])
                guard let key else { throw StoreError.failed("there is no federation \(federation)") }
                let columns = try FederationTables.federationColumns(in: database)
                try database.execute(
                    sql: """
                        INSERT INTO main.federations (key, id, \(columns))
                        SELECT 1, id, \(columns) FROM server.federations WHERE key = ?
                        """, arguments: [key])
                for table in FederationTables.small + [FederationTables.parts] {
                    try FederationTables.copy(table, from: "server", key: key, to: "main", key: 1, in: database)
                }
                return .commit
            }
            try database.execute(sql: "DETACH server")
        }
    }

    /// Copies an archive's federation into this database. Parts of adapters are copied in batches under a name that
    /// nobody sees. Then the other rows and the real name follow in one transaction.
    private func insert(_ archive: UnpackedArchive) throws -> StoredFederation {
        let id = archive.federation
        try pool.read { try FederationWriter.requireFree(id, in: $0) }
        try onWriter { try $0.execute(sql: "ATTACH ? AS archive", arguments: [archive.database]) }
        defer { try? onWriter { try $0.execute(sql: "DETACH archive") } }
        let key = try write { database in
            let columns = try FederationTables.federationColumns(in: database)
            try database.execute(
                sql: """
                    INSERT INTO main.federations (id, \(columns))
                    SELECT '\(Self.goingMark)', \(columns) FROM archive.federations WHERE id = ?
                    """, arguments: [id.rawValue])
            let key = database.lastInsertedRowID
            try database.execute(
                sql: "UPDATE main.federations SET id = ? WHERE key = ?", arguments: ["\(Self.goingMark)\(key)", key])
            return key
        }
        do {
            var last: Int64 = 0
            while let next = try write({ database in
                try Self.copySomeParts(after: last, archive.key, to: key, in: database)
            }) {
                last = next
            }
            return try write { database in
                for table in FederationTables.small {
                    try FederationTables.copy(
                        table, from: "archive", key: archive.key, to: "main", key: key, in: database)
                }
                try archive.keepBlobs(in: directory)
                try FederationWriter.requireFree(id, in: database)
                try database.execute(
                    sql: "UPDATE main.federations SET id = ? WHERE key = ?", arguments: [id.rawValue, key])
                guard let stored = try FederationReader.federation(id, in: database) else {
                    throw StoreError.failed("\(id) is not there after it was copied")
                }
                return stored
            }
        } catch {
            while try write({ try Self.removeSomeRows(ofFederation: key, in: $0) }) {}
            throw error
        }
    }

    /// Copies some parts that come after one; returns the last of them, nil where there are none.
    private static func copySomeParts(
        after last: Int64, _ source: Int64, to target: Int64, in database: Database
    ) throws -> Int64? {
        let ids = try Int64.fetchAll(
            database,
            sql: "SELECT id FROM archive.adapter_parts WHERE federation = ? AND id > ? ORDER BY id LIMIT 16",
            arguments: [source, last])
        guard let first = ids.first, let end = ids.last else { return nil }
        try FederationTables.copy(
            FederationTables.parts, from: "archive", key: source, to: "main", key: target,
            where: "id BETWEEN \(first) AND \(end)", in: database)
        return end
    }

    private func onWriter(_ work: (Database) throws -> Void) throws {
        try pool.writeWithoutTransaction(work)
    }
}
