import DurableFiles
import Federation
import Foundation
import GRDB
import Logging
import StoreConformance
import Testing

@testable import SQLiteStore

/// What is SQLite's own: the data directory, its lock and durability.
@Suite struct SQLiteStoreTests {
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

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
