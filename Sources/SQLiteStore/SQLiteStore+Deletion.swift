package import Federation
import Foundation
import GRDB
import Logging
import StoredRows
import Synchronization

/// Deletes federations: first their rows in batches, so that no commit waits for gigabytes, then the free space.
extension SQLiteStore {
    package func delete(
        _ federation: FederationID, releasing: Bool, at now: Timestamp
    ) async throws(StoreError) -> DepartedFederation {
        let (key, departed) = try await commit { database in
            let row = try Row.fetchOne(
                database, sql: "SELECT key FROM federations WHERE id = ?", arguments: [federation.rawValue])
            guard let row else { throw StoreError.failed("there is no federation \(federation)") }
            let key: Int64 = try row.value("key")
            let last = try Row.fetchOne(
                database, sql: "SELECT hash FROM events WHERE federation = ? ORDER BY id DESC LIMIT 1", arguments: [key]
            )
            let count = try Int.fetchOne(
                database, sql: "SELECT count(*) FROM events WHERE federation = ?", arguments: [key])
            let head = try last?.digest("hash") ?? EventChain(of: federation).head
            try database.execute(
                sql: "INSERT INTO departed (id, head, events, at, is_released) VALUES (?, ?, ?, ?, ?)",
                arguments: [federation.rawValue, head.data, count ?? 0, now.milliseconds, releasing])
            // From here on the federation no longer exists, although its rows are deleted later.
            try database.execute(
                sql: "UPDATE federations SET id = ? WHERE key = ?", arguments: ["\(Self.goingMark)\(key)", key])
            return (key, DepartedFederation(id: federation, head: head, events: count ?? 0, isReleased: releasing))
        }
        forgetPresence(of: federation)
        try await removeRows(ofFederation: key)
        try await sweepBlobs()
        try await reclaim()
        return departed
    }

    /// The prefix of the name of a federation that is being deleted. No other federation's name begins with it.
    static let goingMark = "~"

    /// Ends the deletions that an earlier run did not finish.
    func resumeDeletions() {
        deleting.async { [weak self] in
            guard let self, !self.isClosed.load(ordering: .acquiring) else { return }
            do {
                let keys = try self.pool.read { database in
                    try Int64.fetchAll(
                        database, sql: "SELECT key FROM federations WHERE id >= ?", arguments: [Self.goingMark])
                }
                for key in keys { while try self.write({ try Self.removeSomeRows(ofFederation: key, in: $0) }) {} }
            } catch {
                self.logger.warning(
                    "a deleted federation leaves rows until the next start", metadata: ["error": "\(error)"])
            }
        }
    }

    private func removeRows(ofFederation key: Int64) async throws(StoreError) {
        while try await commit({ try Self.removeSomeRows(ofFederation: key, in: $0) }) {}
    }

    /// Deletes as many rows as fit a commit; returns whether any are left.
    static func removeSomeRows(ofFederation key: Int64, in database: Database) throws -> Bool {
        for (table, count) in [("adapter_parts", 64), ("events", 10_000)] {
            try database.execute(
                sql: "DELETE FROM \(table) WHERE id IN (SELECT id FROM \(table) WHERE federation = ? LIMIT \(count))",
                arguments: [key])
            if database.changesCount > 0 { return true }
        }
        try database.execute(
            sql: """
                DELETE FROM rounds WHERE federation = ? AND number IN
                  (SELECT number FROM rounds WHERE federation = ? LIMIT 16)
                """, arguments: [key, key])
        if database.changesCount > 0 { return true }
        try database.execute(sql: "DELETE FROM federations WHERE key = ?", arguments: [key])
        return false
    }

    /// Returns unused pages to the file system, in batches.
    func reclaim() async throws(StoreError) {
        while try await run(on: writing, { () throws(StoreError) in try self.reclaimSome() }) {}
        try await run(on: writing) { () throws(StoreError) in
            do {
                _ = try self.pool.writeWithoutTransaction { try $0.checkpoint(.truncate) }
            } catch {
                throw self.storeError(error)
            }
        }
    }

    private func reclaimSome() throws(StoreError) -> Bool {
        do {
            return try pool.writeWithoutTransaction { database in
                let free = try Int.fetchOne(database, sql: "PRAGMA freelist_count") ?? 0
                guard free > 0, try Int.fetchOne(database, sql: "PRAGMA auto_vacuum") == 2 else { return false }
                // Each row stands for a freed page.
                _ = try Row.fetchAll(database, sql: "PRAGMA incremental_vacuum(4096)")
                return try Int.fetchOne(database, sql: "PRAGMA freelist_count") ?? 0 < free
            }
        } catch {
            throw storeError(error)
        }
    }

    /// Lets a database from before this feature return its pages too. A large database stays as it is, because the
    /// change copies it.
    static func allowReclaiming(in pool: DatabasePool) throws {
        try pool.writeWithoutTransaction { database in
            guard try Int.fetchOne(database, sql: "PRAGMA auto_vacuum") == 0,
                let pages = try Int.fetchOne(database, sql: "PRAGMA page_count"),
                let size = try Int.fetchOne(database, sql: "PRAGMA page_size"), pages < (256 << 20) / max(1, size)
            else { return }
            try database.execute(sql: "PRAGMA auto_vacuum = INCREMENTAL; VACUUM")
        }
    }
}
