import Federation
import Foundation
import GRDB
import Logging
import StoreConformance
import StoredRows
import TestStage
import Testing

@testable import SQLiteStore

/// Which data folders are opened: those of each version since 0.1.0, and none of another.
@Suite(.ownThread) struct KeptFolderTests {
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    @Test func `a folder of 0.1.0 is read whole`() async throws {
        try await KeptFolder.with("0.1.0") { directory in
            let store = try SQLiteStore(directory: directory, logger: logger)
            let found = try await store.federations()
            #expect(found.unreadable.isEmpty)
            try #require(found.sound.map(\.machine.settings.id.rawValue) == ["digits", "crowd"])
            let (digits, crowd) = (found.sound[0].machine, found.sound[1].machine)
            #expect(digits.settings == (try Sample.settings()))
            #expect(found.sound[0].createdAt == Sample.createdAt)
            #expect(digits.state == .running && digits.publishedRound == 1)
            #expect(Set(digits.tokens.values.map(\.role)) == [.enrolment, .reader])
            let clients = digits.clients.values.sorted { $0.name < $1.name }
            #expect(clients.map(\.name.rawValue) == ["edge-1", "edge-2"])
            #expect(clients.map(\.token) == ["edge-1", "edge-2"].map { Sample.digest("token of \($0)") })
            #expect(clients.map(\.rank) == [42, 42])

            let round = try #require(digits.round)
            #expect(round.number == 2 && round.phase == .collecting)
            #expect(round.updates.values.map(\.digest) == [Sample.contentDigest("2 of edge-1")])
            #expect(round.refusals == [try Sample.refusal("edge-2", "update.shape")])
            let published = try #require(try await store.round(1, of: digits.settings.id))
            #expect(published.phase == .published(Sample.adapter("1")))
            #expect(published.updates.count == 2 && published.participations.count == 2)
            #expect(try await store.rounds(before: 2, limit: 9, of: digits.settings.id).first?.summary != nil)

            let blob = store.directory.blobPath(of: Sample.contentDigest("2 of edge-1"))
            #expect(FileManager.default.contents(atPath: blob) == Data("2 of edge-1".utf8))
            let tensor = AdapterTensor(name: "fc1", kind: .a)
            #expect(try store.rows(9, of: tensor, federation: digits.settings.id, round: 1) == Sample.values(0..<4))

            let names = (0..<52).map { "edge-\($0)" }.sorted()
            let list = try await store.list(
                Sample.contentDigest(names.map { "\($0)\n" }.joined()), of: crowd.settings.id)
            #expect(list?.clients.map(\.rawValue) == names)
            #expect(crowd.round?.participations.count == 52)
            try store.close()
        }
    }

    @Test func `the audit log of a folder of 0.1.0 has the hash that it was kept with`() async throws {
        try await KeptFolder.with("0.1.0") { directory in
            let store = try SQLiteStore(directory: directory, logger: logger)
            let audit = try store.audit()
            #expect(audit.findings.isEmpty)
            #expect(audit.logs.map(\.rowCount) == [12, 54])
            #expect(
                audit.logs.map(\.head.hex) == [
                    "b5528b0ec8cbb89ad71f794d27a2884c66008ad26828be1b4891169f0d05f0ae",
                    "8e463fca3a30798984ca087526da8df1d44bb703b85d7aa325693cae8fe6fe43",
                ])
            #expect(audit.heldBlobs == 1 && audit.unclaimedBlobs == 0 && audit.parts == 1)
            try store.close()
        }
    }

    @Test func `a round of a folder of 0.1.0 goes on`() async throws {
        try await KeptFolder.with("0.1.0") { directory in
            let store = try SQLiteStore(directory: directory, logger: logger)
            let live = try await LiveFederation(loadedFrom: Stores(store))
            try await live.send("2 of edge-2", from: "edge-2", round: 2)
            #expect(live.machine.round?.phase == .aggregating)
            expectEqual(try await LiveFederation(loadedFrom: Stores(store)).machine, live.machine)
            try store.close()
        }
    }

    @Test func `a folder of 0.1.0 has the tables of a new one once it was opened`() async throws {
        func tables(in directory: String) throws -> [Row] {
            let store = try SQLiteStore(directory: directory, logger: logger)
            let rows = try store.pool.read {
                try Row.fetchAll($0, sql: "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name")
            }
            try store.close()
            return rows
        }
        try await KeptFolder.with("0.1.0") { kept in
            try await withDirectory { fresh in
                let (found, expected) = (try tables(in: kept), try tables(in: fresh))
                #expect(found == expected)
            }
        }
    }

    @Test func `a folder of before 0.1.0 is refused with both versions, and keeps what it holds`() async throws {
        try await KeptFolder.with("before-0.1.0") { directory in
            let path = directory + "/rankwise.sqlite"
            func content() throws -> [Row] {
                let queue = try DatabaseQueue(path: path)
                defer { try? queue.close() }
                return try queue.read {
                    try Row.fetchAll($0, sql: "SELECT name, sql FROM sqlite_master")
                        + Row.fetchAll($0, sql: "SELECT * FROM grdb_migrations")
                        + Row.fetchAll($0, sql: "SELECT * FROM events")
                }
            }
            let before = try content()
            let blobs = try FileManager.default.contentsOfDirectory(atPath: directory + "/blobs")
            let mismatch = SchemaMismatch.tooOld(found: "before 0.1.0 (schema 12)", lowest: "0.1.0")
            let error = #expect(throws: StoreOpeningError.version(path: path, mismatch)) {
                try SQLiteStore(directory: directory, logger: logger)
            }
            #expect(
                error?.description.contains(
                    "it is of version before 0.1.0 (schema 12); the lowest version that this program opens is 0.1.0")
                    == true)
            #expect(throws: StoreOpeningError.version(path: path, mismatch)) {
                try SQLiteStore(beside: directory, logger: logger)
            }
            let after = try content()
            #expect(before.count > 80 && after == before)
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory + "/blobs") == blobs)
        }
    }

    @Test(arguments: ["0.2.1", "0.3.0", "0.10.0", "1.0.0", "one"])
    func `a folder of a newer version is refused with both versions`(_ version: String) async throws {
        try await withDirectory { directory in
            let store = try SQLiteStore(directory: directory, logger: logger)
            try await store.pool.write {
                try $0.execute(sql: "INSERT INTO grdb_migrations VALUES (?)", arguments: [version])
            }
            try store.close()
            let mismatch = SchemaMismatch.tooNew(found: version, newest: "0.2.0")
            let path = directory + "/rankwise.sqlite"
            let error = #expect(throws: StoreOpeningError.version(path: path, mismatch)) {
                try SQLiteStore(directory: directory, logger: logger)
            }
            #expect(
                error?.description.contains(
                    "it is of version \(version); the newest version that this program opens is 0.2.0") == true)
            #expect(throws: StoreOpeningError.version(path: path, mismatch)) {
                try SQLiteStore(beside: directory, logger: logger)
            }
        }
    }

    @Test func `an archive of a newer version is refused with both versions`() async throws {
        try await withDirectory { directory in
            let store = try SQLiteStore(directory: directory, logger: logger)
            _ = try await LiveFederation(creating: "digits", in: Stores(store))
            try await store.pool.write { try $0.execute(sql: "INSERT INTO grdb_migrations VALUES ('0.3.0')") }
            let archive = store.stage()
            _ = try store.backUp(to: archive.path)
            let error = await #expect(throws: StoreError.self) { try await store.takeArchive(archive) }
            #expect(
                "\(error as Any)".contains(
                    "it is of version 0.3.0; the newest version that this program opens is 0.2.0"))
            try store.close()
        }
    }

    /// Run by `scripts/keep-folder`.
    @Test(.enabled(if: KeptFolder.target != nil)) func `a folder of the present version is kept`() async throws {
        try await KeptFolder.write(to: try #require(KeptFolder.target))
    }
}
