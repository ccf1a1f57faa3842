package import Federation
import Foundation
import GRDB
import StoredRows

/// The content of a data directory, and the faults in it.
package struct StoreAudit: Sendable {
    /// A federation's audit log.
    package struct Log: Sendable {
        package let federation: FederationID
        package internal(set) var rowCount = 0
        /// The hash of the last row. With a kept copy of it, an operator can detect later changes of earlier rows.
        package internal(set) var head: ContentDigest
    }

    package internal(set) var logs: [Log] = []
    /// The number of updates whose bytes their rounds may still need.
    package internal(set) var heldBlobs = 0
    /// The number of blobs that no record needs. The server deletes them itself.
    package internal(set) var unclaimedBlobs = 0
    /// The number of parts of adapters, merges and moments.
    package internal(set) var parts = 0
    /// One sentence for each fault.
    package internal(set) var findings: [String] = []

    /// - Parameter pins: hashes that were read earlier and must still be in the logs.
    init(of database: Database, in directory: DataDirectory, pins: [FederationID: ContentDigest]) throws {
        try checkDatabase(database)
        for row in try Row.fetchAll(database, sql: "SELECT key, id FROM federations WHERE id < '~' ORDER BY key") {
            try checkLog(of: try row.text("id"), key: try row.value("key"), pins: pins, in: database)
        }
        for federation in pins.keys.sorted() where !logs.contains(where: { $0.federation == federation }) {
            let head = try Row.fetchOne(
                database, sql: "SELECT head FROM departed WHERE id = ? AND head = ?",
                arguments: [federation.rawValue, pins[federation]?.data])
            if head == nil { findings.append("there is no federation \(federation), whose log was pinned") }
        }
        try checkBlobs(HeldBlob.all(in: database), in: directory)
        try checkParts(in: database)
    }

    /// Audits one federation's database, whose blobs are checked elsewhere.
    init(ofArchive database: Database, in directory: DataDirectory) throws {
        try checkDatabase(database)
        for row in try Row.fetchAll(database, sql: "SELECT key, id FROM federations") {
            try checkLog(of: try row.text("id"), key: try row.value("key"), pins: [:], in: database)
        }
        try checkParts(in: database)
    }
}

extension StoreAudit {
    private mutating func checkDatabase(_ database: Database) throws {
        for line in try String.fetchAll(database, sql: "PRAGMA integrity_check") where line != "ok" {
            findings.append("the database is damaged: \(line)")
        }
        for row in try Row.fetchAll(database, sql: "PRAGMA foreign_key_check") {
            let (table, parent): (String, String) = (try row.value("table"), try row.value("parent"))
            findings.append("a row of \(table) belongs to a row of \(parent) that is not there")
        }
    }

    private mutating func checkLog(
        of federation: FederationID, key: Int64, pins: [FederationID: ContentDigest], in database: Database
    ) throws {
        var chain = try EventChain(of: federation)
        var log = Log(federation: federation, head: chain.head)
        var pin = pins[federation]
        if pin == chain.head { pin = nil }
        let rows = try Row.fetchCursor(
            database, sql: "SELECT * FROM events WHERE federation = ? ORDER BY id", arguments: [key])
        while let row = try rows.next() {
            let id: Int64 = try row.value("id")
            do throws(StoreError) {
                let event = try AuditEvent(row)
                let stored = try row.digest("hash")
                if try chain.append(event) != stored {
                    findings.append(
                        "the audit log of \(federation) was changed at or before event \(id) (\(event.kind)): its hash "
                            + "is \(stored); the rows up to it give \(chain.head)")
                }
                // Continues from the stored hash, so that one change gives one finding.
                chain = EventChain(after: stored)
            } catch {
                findings.append("event \(id) of \(federation) cannot be read: \(error)")
            }
            log.rowCount += 1
            log.head = chain.head
            if pin == chain.head { pin = nil }
        }
        try checkLists(of: federation, in: database)
        if let pin { findings.append("the audit log of \(federation) has no event with the hash \(pin) any more") }
        logs.append(log)
    }

    /// Checks the lists of clients that the log names by their digests.
    private mutating func checkLists(of federation: FederationID, in database: Database) throws {
        guard let reader = try FederationReader(federation, in: database) else { return }
        for digest in try reader.lists() {
            do { _ = try reader.list(digest) } catch let error as StoreError {
                findings.append("\(federation): \(error)")
            }
        }
    }

    private mutating func checkBlobs(_ blobs: [HeldBlob], in directory: DataDirectory) throws {
        heldBlobs = blobs.count
        for blob in blobs {
            do {
                if let damage = try blob.damage(in: directory) { findings.append("\(blob) \(damage)") }
            } catch {
                findings.append("\(blob) cannot be read: \(error)")
            }
        }
        unclaimedBlobs = Set(try directory.blobDigests()).subtracting(blobs.map(\.digest)).count
    }

    /// Checks that every tensor's parts follow one another from row 0 and have the same width.
    private mutating func checkParts(in database: Database) throws {
        struct Tensor: Equatable, CustomStringConvertible {
            let federation: FederationID
            let slot: String
            let round: Int
            let name: String
            let kind: String
            var description: String { "\(name) \(kind) of the \(slot) of round \(round) (\(federation))" }
        }
        var tensor: Tensor?
        var rows = 0
        var width: Int?
        let cursor = try Row.fetchCursor(
            database,
            sql: """
                SELECT federations.id, slot, adapter_parts.round, name, kind, first_row, row_count,
                  length(factors) AS bytes
                FROM adapter_parts JOIN federations ON federations.key = adapter_parts.federation
                ORDER BY federation, slot, adapter_parts.round, name, kind, first_row
                """)
        while let row = try cursor.next() {
            parts += 1
            let found = Tensor(
                federation: try row.text("id"), slot: try row.value("slot"), round: try row.value("round"),
                name: try row.value("name"), kind: try row.value("kind"))
            if found != tensor { (tensor, rows, width) = (found, 0, nil) }
            let firstRow: Int = try row.value("first_row")
            let count: Int = try row.value("row_count")
            let bytes: Int = try row.value("bytes")
            guard count > 0, bytes > 0, bytes % 4 == 0, (bytes / 4) % count == 0 else {
                findings.append("\(found): \(count.counted("row")) in \(bytes.counted("byte"))")
                continue
            }
            let foundWidth = bytes / 4 / count
            if firstRow != rows { findings.append("\(found): a part begins at row \(firstRow); expected \(rows)") }
            if let width, width != foundWidth {
                findings.append("\(found): the rows at \(firstRow) are \(foundWidth) wide; expected \(width)")
            }
            // A row number near the largest integer must not end the program.
            let (next, overflow) = firstRow.addingReportingOverflow(count)
            (rows, width) = (overflow ? 0 : next, foundWidth)
        }
    }
}

extension SQLiteStore {
    /// Checks the database, the audit logs, the blobs and the parts of adapters, blocking the caller.
    ///
    /// - Parameter pins: hashes of events that were read earlier and must still be in the logs.
    package func audit(pins: [FederationID: ContentDigest] = [:]) throws(StoreError) -> StoreAudit {
        try read { try StoreAudit(of: $0, in: self.directory, pins: pins) }
    }
}
