import Federation
import Foundation
import GRDB
import Logging
import StoreConformance
import Testing

@testable import SQLiteStore

/// What is SQLite's own: the data directory, its lock, durability and migrations.
@Suite struct SQLiteStoreTests {
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// Settings as the first version stored them.
    private static let firstSettings = """
        {"adapter":{"dense":{},"elementType":"F32","maximumRank":60,"modules":{"fc1":{"bias":false,"inputs":64,\
        "kind":{"linear":{}},"outputs":200}},"scaling":{"constant":{"_0":1}}},"baseModel":{"name":"mlp","seed":7},\
        "id":"digits","limits":{"clients":5,"samples":1000},"policy":{"deadlineSeconds":600,"minimumClients":1,\
        "minimumUpdates":1,"onMissedQuorum":"extend","overSelection":0,"seenSeconds":120,\
        "selection":{"fraction":{"_0":1}},"total":3},"seed":7,\
        "strategy":{"name":"rbla","weighting":"samples"},"training":"{}"}
        """

    @Test func `commits are synced in full`() async throws {
        try await withDirectory { directory in
            let store = try SQLiteStore(directory: directory, logger: logger)
            let level = try await store.pool.writeWithoutTransaction {
                try Int.fetchOne($0, sql: "PRAGMA synchronous")
            }
            #expect(level == 2)
            let mode = try await store.pool.writeWithoutTransaction {
                try String.fetchOne($0, sql: "PRAGMA journal_mode")
            }
            #expect(mode == "wal")
            try store.close()
        }
    }

    @Test func `a database that is not synced in full is not served from`() async throws {
        try await withDirectory { directory in
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
            let pool = try DatabasePool(path: directory + "/plain.sqlite")
            #expect(throws: StoreOpeningError.notDurable(path: pool.path, synchronous: 1)) {
                try SQLiteStore.requireFullSynchronous(of: pool)
            }
        }
    }

    @Test func `the data directory is its owner's alone`() async throws {
        try await withDirectory { directory in
            let store = try SQLiteStore(directory: directory + "/deeper/data", logger: logger)
            for folder in ["", "/blobs", "/spool"] {
                let attributes = try FileManager.default.attributesOfItem(atPath: directory + "/deeper/data" + folder)
                #expect(attributes[.posixPermissions] as? Int == 0o700)
            }
            try store.close()
        }
    }

    @Test func `a second server on the same directory is refused by name, until the first has closed it`()
        async throws
    {
        try await withDirectory { directory in
            let first = try SQLiteStore(directory: directory, logger: logger)
            let error = #expect(throws: StoreOpeningError.self) {
                try SQLiteStore(directory: directory, logger: logger)
            }
            #expect(error == .locked(path: directory, by: "\(ProcessInfo.processInfo.processIdentifier)"))
            #expect(error?.description.contains(directory) == true)
            try await first.probe()
            try first.close()
            let second = try SQLiteStore(directory: directory, logger: logger)
            try await second.probe()
            try second.close()
        }
    }

    @Test func `a closed store answers with an error`() async throws {
        try await withDirectory { directory in
            let store = try SQLiteStore(directory: directory, logger: logger)
            try store.close()
            await #expect(throws: StoreError.self) { try await store.federations() }
            await #expect(throws: StoreError.self) { try await store.probe() }
            #expect(throws: StoreError.self) {
                try store.removeAdapter(of: try FederationID("digits"), round: 0)
            }
        }
    }

    @Test func `a federation that cannot be understood does not keep the others back`() async throws {
        try await withDirectory { directory in
            var store = try SQLiteStore(directory: directory, logger: logger)
            _ = try await LiveFederation(creating: "first", in: Stores(store))
            let live = try await LiveFederation(creating: "second", in: Stores(store))
            try await live.register("edge-1")
            _ = try await LiveFederation(creating: "third", in: Stores(store))
            try await store.pool.write { database in
                try database.execute(sql: "UPDATE federations SET settings = '{}' WHERE id = 'second'")
            }
            try store.close()
            store = try SQLiteStore(directory: directory, logger: logger)
            let found = try await store.federations()
            #expect(found.sound.map(\.machine.settings.id.rawValue) == ["first", "third"])
            let one = try #require(found.unreadable.first)
            #expect(one.id.rawValue == "second" && one.reason.contains("settings"))
            #expect(one.tokens.count == 2 && one.clients.map(\.name.rawValue) == ["edge-1"])
            try store.close()
        }
    }

    @Test func `a path that cannot be a folder is refused with the reason`() async throws {
        try await withDirectory { path in
            try Data("a file".utf8).write(to: URL(fileURLWithPath: path))
            let error = #expect(throws: StoreOpeningError.self) { try SQLiteStore(directory: path, logger: logger) }
            guard case .directory(let found, _) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(found == path)
        }
    }

    @Test func `a file that is no database is refused and left as it was`() async throws {
        try await withDirectory { directory in
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
            let file = directory + "/rankwise.sqlite"
            let content = Data(repeating: 0x41, count: 8192)
            try content.write(to: URL(fileURLWithPath: file))
            let error = #expect(throws: StoreOpeningError.self) {
                try SQLiteStore(directory: directory, logger: logger)
            }
            guard case .database(file, let reason) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(reason.contains("not a database"))
            #expect(FileManager.default.contents(atPath: file) == content)
        }
    }

    @Test func `a database of a newer version is refused`() async throws {
        try await withDirectory { directory in
            let store = try SQLiteStore(directory: directory, logger: logger)
            try await store.pool.write { try $0.execute(sql: "INSERT INTO grdb_migrations VALUES ('9999')") }
            try store.close()
            #expect(throws: StoreOpeningError.newerSchema(path: directory + "/rankwise.sqlite")) {
                try SQLiteStore(directory: directory, logger: logger)
            }
        }
    }

    @Test func `what the first schema kept is read as adapters by the next`() async throws {
        try await withDirectory { directory in
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
            let pool = try DatabasePool(path: directory + "/rankwise.sqlite")
            try Schema.migrator.migrate(pool, upTo: "0001")
            let factors = Sample.values(0..<4).withUnsafeBytes { Data($0) }
            try await pool.write { database in
                try database.execute(
                    sql: """
                        INSERT INTO federations
                          (key, id, settings, state, round, published_round, revision, plan_revision, created_at)
                        VALUES (1, 'digits', ?, 'running', 1, 0, 4, 4, 0);
                        INSERT INTO tokens (federation, id, role, hash)
                        VALUES (1, 'reader', 'reader', x'\(Sample.digest("r").hex)');
                        UPDATE federations SET created_at = 5;
                        INSERT INTO rounds
                          (federation, number, phase, opened_at, deadline, minimum_updates, adapter_digest,
                           adapter_bytes, adapter_ranks)
                        VALUES (1, 1, 'published', 0, 600000, 1, ?, 9, '{"fc1":60}');
                        INSERT INTO places (federation, round, client, state, revision)
                        VALUES (1, 1, 'edge-1', 'awaited', 3);
                        INSERT INTO adapter_parts (federation, round, name, kind, first_row, row_count, factors)
                        VALUES (1, 0, 'fc1', 'A', 0, 4, ?);
                        """,
                    arguments: [Self.firstSettings, Sample.digest("1").data, factors])
            }
            try pool.close()
            let store = try SQLiteStore(directory: directory, logger: logger)
            let machine = try #require(try await store.federations().sound.first).machine
            #expect(machine.settings.strategy == .init(name: "rbla", weighting: "samples"))
            #expect(machine.settings.server == .init() && machine.settings.adapter.messageBits == nil)
            #expect(
                Array(machine.tokens.values) == [
                    IssuedToken(
                        id: "reader", role: .reader, hash: Sample.digest("r"), createdAt: Timestamp(milliseconds: 5))
                ])
            let digest = Sample.digest("1")
            #expect(
                machine.round?.phase == .published(.init(digest: digest, byteCount: 9, ranks: ["fc1": 60])))
            #expect(machine.round?.participations.values.map(\.rank) == [nil])
            let tensor = AdapterTensor(name: "fc1", kind: .a)
            let id = machine.settings.id
            #expect(try store.rows(9, of: tensor, federation: id, round: 0) == Sample.values(0..<4))
            #expect(
                try store.rowCount(of: tensor, at: AdapterAddress(federation: id, round: 0, slot: .merge)) == 0)
            try store.close()
        }
    }

    @Test func `a commit ends although its caller is cancelled`() async throws {
        try await withDirectory { directory in
            let store = try SQLiteStore(directory: directory, logger: logger)
            let federation = try Sample.federation()
            let creation = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                try await store.create(federation)
            }
            try await creation.value
            #expect(try await store.federations().sound.count == 1)
            try store.close()
        }
    }

    @Test func `a restart deletes spool files and blobs without a record`() async throws {
        try await withDirectory { directory in
            var store = try SQLiteStore(directory: directory, logger: logger)
            let live = try await LiveFederation(creating: "digits", in: Stores(store))
            try await live.register("edge-1", "edge-2")
            try await live.send("kept", from: "edge-1", round: 1)
            let spool = try live.spool("half an upl")
            try await live.publish("orphan")
            let orphan = store.directory.blobPath(of: Sample.contentDigest("orphan"))
            #expect(FileManager.default.fileExists(atPath: orphan))
            try store.close()
            store = try SQLiteStore(directory: directory, logger: logger)
            for path in [spool.path, orphan] { #expect(!FileManager.default.fileExists(atPath: path)) }
            #expect(try await LiveFederation(loadedFrom: Stores(store)).blob("kept") == "kept")
            try store.close()
        }
    }

    @Test func `files that are not blobs stay where they are`() async throws {
        try await withDirectory { directory in
            let store = try SQLiteStore(directory: directory, logger: logger)
            let note = directory + "/blobs/README"
            try Data("hands off".utf8).write(to: URL(fileURLWithPath: note))
            try await store.sweepBlobs()
            try store.close()
            try SQLiteStore(directory: directory, logger: logger).close()
            #expect(FileManager.default.fileExists(atPath: note))
        }
    }

    @Test func `a database that may not grow is full, and serves again when it may`() async throws {
        try await withDirectory { directory in
            let store = try SQLiteStore(directory: directory, logger: logger)
            let live = try await LiveFederation(creating: "digits", in: Stores(store))
            let part = Sample.part("fc1", .a, rows: 0..<1000, width: 1000)
            try await store.limit(pages: 100)
            #expect(throws: StoreError.full) { try store.append([part], of: live.id, round: 0) }
            try await live.register("edge-1")
            try await store.limit(pages: 1_000_000)
            try store.append([part], of: live.id, round: 0)
            #expect(try store.rows(1000, of: part.tensor, federation: live.id, round: 0) == part.values)
            try store.close()
        }
    }

    @Test(arguments: [ENOSPC, EDQUOT])
    func `a file system without room is a full store`(_ code: CInt) async throws {
        try await withDirectory { directory in
            let store = try SQLiteStore(directory: directory, logger: logger)
            errno = code
            let error = FileError(doing: "sync", path: directory)
            #expect(store.storeError(error) == .full)
            try store.close()
        }
    }

    @Test func `a row with a value that cannot be is reported, not trapped on`() async throws {
        try await withDirectory { directory in
            let store = try SQLiteStore(directory: directory, logger: logger)
            let live = try await LiveFederation(creating: "digits", in: Stores(store))
            try await live.register("edge-1", "edge-2")
            for damage in [
                "UPDATE rounds SET phase = 'sleeping'", "UPDATE rounds SET phase = 'published'",
                "UPDATE clients SET token = x'00'", "UPDATE clients SET name = 'Ä' WHERE name = 'edge-1'",
                "UPDATE federations SET settings = '{}'", "UPDATE federations SET state = ''",
            ] {
                try await store.pool.writeWithoutTransaction { database in
                    try database.execute(sql: "SAVEPOINT before_damage")
                    try database.execute(sql: damage)
                    let found = try FederationReader.federations(in: database)
                    #expect(found.sound.isEmpty && found.unreadable.map(\.id.rawValue) == ["digits"], "\(damage)")
                    try database.execute(sql: "ROLLBACK TO before_damage; RELEASE before_damage")
                }
            }
            #expect(try await store.federations().sound.count == 1)
            try store.close()
        }
    }
}

extension SQLiteStore {
    fileprivate func limit(pages: Int) async throws {
        try await pool.writeWithoutTransaction { try $0.execute(sql: "PRAGMA max_page_count = \(pages)") }
    }
}
