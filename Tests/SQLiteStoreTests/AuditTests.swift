import Federation
import Foundation
import GRDB
import Logging
import StoreConformance
import Testing

@testable import SQLiteStore

/// What `verify` finds, and that it finds it beside a server.
@Suite struct AuditTests {
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// A store in the middle of round 2, with an update of edge-1 and an adapter of round 1.
    private func withRound(_ test: (SQLiteStore, LiveFederation, _ directory: String) async throws -> Void) async throws
    {
        try await withDirectory { directory in
            let store = try SQLiteStore(directory: directory, logger: logger)
            let live = try await LiveFederation(creating: "digits", in: Stores(store))
            try await live.register("edge-1", "edge-2")
            for client in ["edge-1", "edge-2"] { try await live.send("1 of \(client)", from: client, round: 1) }
            try store.append(
                [Sample.part("fc1", .a, rows: 0..<3), Sample.part("fc1", .a, rows: 3..<4)], of: live.id, round: 1)
            try await live.step(.aggregated(Sample.adapter("1"), round: 1))
            try await store.sweepBlobs()
            try await live.send("2 of edge-1", from: "edge-1", round: 2)
            try await test(store, live, directory)
            try store.close()
        }
    }

    private func audit(_ directory: String, pins: [FederationID: ContentDigest] = [:]) throws -> StoreAudit {
        let beside = try SQLiteStore(beside: directory, logger: logger)
        defer { try? beside.close() }
        return try beside.audit(pins: pins)
    }

    @Test func `a sound store has no findings, beside its server and after it`() async throws {
        var head: ContentDigest?
        try await withRound { store, live, directory in
            let events = try await store.events(after: 0, limit: 100, of: live.id)
            let log = try #require(try audit(directory).logs.first)
            #expect(log.rowCount == events.count)
            #expect(log.head == events.last?.hash)
            head = log.head
            let found = try audit(directory, pins: [live.id: events[1].hash])
            #expect(found.findings.isEmpty)
            #expect(found.heldBlobs == 1 && found.unclaimedBlobs == 0 && found.parts == 2)
            try store.close()
            #expect(try audit(directory).findings.isEmpty)
            #expect(try audit(directory).logs.first?.head == head)
        }
    }

    @Test(arguments: [
        "UPDATE events SET kind = 'x' WHERE id = 2", "UPDATE events SET at = at + 1 WHERE id = 3",
        "UPDATE events SET detail = 'x' WHERE id = 2", "UPDATE events SET client = NULL WHERE id = 1",
        "UPDATE events SET round = 7 WHERE id = 2", "DELETE FROM events WHERE id = 2",
        "UPDATE events SET hash = x'00' WHERE id = 2", "DELETE FROM events WHERE id = 1",
        "UPDATE events SET id = -id; UPDATE events SET id = 2 WHERE id = -3; UPDATE events SET id = 3 WHERE id = -2; "
            + "UPDATE events SET id = -id WHERE id < 0",
    ])
    func `a changed, dropped or moved row of the audit log is found`(_ tampering: String) async throws {
        try await withRound { store, _, directory in
            try await store.pool.write { try $0.execute(sql: tampering) }
            let findings = try audit(directory).findings
            #expect(!findings.isEmpty)
            #expect(findings.allSatisfy { $0.contains("event") && $0.contains("digits") })
        }
    }

    @Test func `a log that was cut at its end, or made anew, does not have its pinned event`() async throws {
        try await withRound { store, live, directory in
            let head = try #require(try audit(directory).logs.first?.head)
            #expect(try audit(directory, pins: [live.id: head]).findings.isEmpty)
            try await store.pool.write {
                try $0.execute(sql: "DELETE FROM events WHERE id = (SELECT max(id) FROM events)")
            }
            #expect(try audit(directory).findings.isEmpty)
            let found = try audit(directory, pins: [live.id: head, try FederationID("nobody"): head]).findings
            #expect(found.count == 2)
            #expect(found.first?.contains("has no event with the hash \(head)") == true)
        }
    }

    @Test func `a blob that is missing, torn or altered is found, and told from one that nobody needs`() async throws {
        try await withRound { store, live, directory in
            let blob = store.directory.blobPath(of: Sample.contentDigest("2 of edge-1"))
            try Data("nobody's".utf8).write(
                to: URL(fileURLWithPath: store.directory.blobPath(of: Sample.contentDigest("nobody's"))))
            for (content, words) in [("2 of edge", "has 9 bytes"), ("2 of edge-9", "was altered")] {
                try Data(content.utf8).write(to: URL(fileURLWithPath: blob))
                let found = try audit(directory)
                #expect(found.findings.count == 1 && found.unclaimedBlobs == 1)
                #expect(found.findings.first?.contains("edge-1 (digits, round 2) \(words)") == true)
            }
            try FileManager.default.removeItem(atPath: blob)
            #expect(try audit(directory).findings.first?.contains("is missing") == true)
        }
    }

    @Test(arguments: [
        ("UPDATE adapter_parts SET first_row = 5 WHERE first_row = 3", "begins at row 5; expected 3"),
        ("DELETE FROM adapter_parts WHERE first_row = 0", "begins at row 3; expected 0"),
        ("UPDATE adapter_parts SET factors = x'00000000' WHERE first_row = 3", "1 wide; expected 3"),
        ("UPDATE adapter_parts SET factors = x'0000' WHERE first_row = 3", "1 row in 2 bytes"),
        ("UPDATE adapter_parts SET row_count = 0 WHERE first_row = 3", "0 rows"),
    ])
    func `a tensor whose parts do not follow one another is found`(_ damage: String, _ words: String) async throws {
        try await withRound { store, _, directory in
            try await store.pool.write { try $0.execute(sql: damage) }
            let findings = try audit(directory).findings
            #expect(findings.count == 1)
            #expect(findings.first?.contains("fc1 A of the adapter of round 1 (digits)") == true)
            #expect(findings.first?.contains(words) == true)
        }
    }

    @Test func `a row without its federation and a damaged page are found`() async throws {
        try await withRound { store, _, directory in
            try await store.pool.writeWithoutTransaction { database in
                try database.execute(sql: "PRAGMA foreign_keys = OFF; UPDATE adapter_parts SET federation = 99")
            }
            #expect(try audit(directory).findings.contains { $0.contains("a row of adapter_parts belongs to") })
        }
    }

    @Test func `what was left is read, not written, and a database without tables is named`() async throws {
        try await withRound { store, _, directory in
            let beside = try SQLiteStore(beside: directory, logger: logger)
            await #expect(throws: StoreError.self) { try await beside.probe() }
            #expect(throws: StoreError.self) { try beside.removeAdapter(of: try FederationID("digits"), round: 1) }
            try beside.close()
            try await store.pool.write { try $0.execute(sql: "DELETE FROM grdb_migrations") }
            #expect(throws: StoreOpeningError.notMigrated(path: directory + "/rankwise.sqlite")) {
                try audit(directory)
            }
        }
        #expect(throws: StoreOpeningError.self) { try audit("/nowhere") }
    }

    @Test func `no blob is deleted while somebody reads beside the server, and then it is`() async throws {
        try await withRound { store, live, directory in
            let blob = store.directory.blobPath(of: Sample.contentDigest("2 of edge-1"))
            let beside = try SQLiteStore(beside: directory, logger: logger)
            try await live.step(.aggregationFailed(reason: "test", round: 2))
            try await store.sweepBlobs()
            #expect(FileManager.default.fileExists(atPath: blob))
            try beside.close()
            try await store.sweepBlobs()
            #expect(!FileManager.default.fileExists(atPath: blob))
        }
    }
}
