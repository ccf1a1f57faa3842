import Federation
import Foundation
import GRDB
import Logging
import StoreConformance
import Testing

@testable import SQLiteStore

/// What a disk, or somebody at it, does to a data directory.
@Suite struct BrokenDiskTests {
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    @Test func `a database without its log is not served from, and no blob is swept`() async throws {
        try await withDirectory { directory in
            let store = try SQLiteStore(directory: directory, logger: logger)
            _ = try await LiveFederation(creating: "digits", in: Stores(store))
            try await store.probe()
            // As it does within a second.
            store.directory.mark.write()
            let blob = directory + "/blobs/" + String(repeating: "ab", count: 32)
            try Data("an update".utf8).write(to: URL(fileURLWithPath: blob))
            let copy = directory + "-copy"
            defer { try? FileManager.default.removeItem(atPath: copy) }
            try FileManager.default.copyItem(atPath: directory, toPath: copy)
            for name in ["rankwise.sqlite-wal", "rankwise.sqlite-shm"] {
                try FileManager.default.removeItem(atPath: "\(copy)/\(name)")
            }
            let error = #expect(throws: StoreOpeningError.self) { try SQLiteStore(directory: copy, logger: logger) }
            guard case .commitsLost(_, _, let expected) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(expected >= 2)
            #expect(FileManager.default.fileExists(atPath: copy + "/blobs/" + String(repeating: "ab", count: 32)))
            // Whoever wants to go on with what is there says so.
            try FileManager.default.removeItem(atPath: copy + "/rankwise.mark")
            try SQLiteStore(directory: copy, logger: logger).close()
            try store.close()
        }
    }

    @Test func `an empty database beside a mark is not served from`() async throws {
        try await withDirectory { directory in
            let store = try SQLiteStore(directory: directory, logger: logger)
            _ = try await LiveFederation(creating: "digits", in: Stores(store))
            try store.close()
            // The log has nothing that the database lacks.
            let log = try FileManager.default.attributesOfItem(atPath: directory + "/rankwise.sqlite-wal")
            #expect(log[.size] as? Int == 0)
            try FileManager.default.removeItem(atPath: directory + "/rankwise.sqlite")
            #expect(throws: StoreOpeningError.self) { try SQLiteStore(directory: directory, logger: logger) }
        }
    }

    @Test func `a directory that is moved away takes no commit, and does again once it is back`() async throws {
        try await withDirectory { directory in
            let store = try SQLiteStore(directory: directory, logger: logger)
            _ = try await LiveFederation(creating: "digits", in: Stores(store))
            try FileManager.default.moveItem(atPath: directory, toPath: directory + "-away")
            await #expect(throws: StoreError.gone) { try await store.probe() }
            await #expect(throws: StoreError.gone) {
                _ = try await LiveFederation(creating: "other", in: Stores(store))
            }
            try FileManager.default.moveItem(atPath: directory + "-away", toPath: directory)
            try await store.probe()
            try store.close()
        }
    }

    @Test func `a flipped bit in a stored factor is not given out`() async throws {
        try await withDirectory { directory in
            let store = try SQLiteStore(directory: directory, logger: logger)
            let live = try await LiveFederation(creating: "digits", in: Stores(store))
            try store.append(
                [Sample.part("fc1", .a, rows: 0..<3), Sample.part("fc1", .a, rows: 3..<4)], of: live.id, round: 0)
            let a = AdapterTensor(name: "fc1", kind: .a)
            #expect(try store.rows(4, of: a, federation: live.id, round: 0) == Sample.values(0..<4))
            try await store.pool.write { database in
                try database.execute(
                    sql: """
                        UPDATE adapter_parts
                        SET factors = CAST(x'00000080' || substr(factors, 5) AS BLOB) WHERE first_row = 3
                        """)
            }
            let error = #expect(throws: StoreError.self) { try store.rows(4, of: a, federation: live.id, round: 0) }
            guard case .failed(let reason) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(reason.contains("fc1") && reason.contains("damaged"))
            // What lies before it is whole.
            #expect(try store.rows(3, of: a, federation: live.id, round: 0) == Sample.values(0..<3))
            try store.close()
        }
    }
}
