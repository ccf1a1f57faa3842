import Federation
import Foundation
import GRDB
import Logging
import StoreConformance
import StoredRows
import Testing

@testable import SQLiteStore

/// Lists of clients in bytes.
@Suite struct StoredClientListTests {
    @Test(arguments: [
        StoredClientList(numbers: [], values: nil), StoredClientList(numbers: [1], values: [0]),
        StoredClientList(numbers: [20_000], values: [.max]), StoredClientList(numbers: Array(1...20_000), values: nil),
        StoredClientList(numbers: [2, 3, 4, 9, 300, 301], values: [1, 127, 128, 0, 16_384, 5]),
        StoredClientList(numbers: Array(stride(from: 2, through: 20_000, by: 2)), values: nil),
    ])
    func `a list is read back from its bytes`(_ list: StoredClientList) throws {
        #expect(try StoredClientList(runs: list.runs, values: list.valueBytes, limit: 20_000) == list)
    }

    @Test func `all of twenty thousand clients are four bytes, and every second one two bytes each`() {
        #expect(StoredClientList(numbers: Array(1...20_000), values: nil).runs.count == 4)
        let half = StoredClientList(numbers: Array(stride(from: 2, through: 20_000, by: 2)), values: nil)
        #expect(half.runs.count == 20_000)
    }

    @Test(
        arguments: [
            ([0], nil, "within a run"), ([0x80], nil, "within a number"), ([0, 11], nil, "beyond number 10"),
            ([10, 1], nil, "beyond number 10"), ([0, 5, 1, 5], nil, "beyond number 10"),
            ([11, 0], nil, "beyond number 10"),
            ([UInt8](repeating: 0xFF, count: 9) + [1], nil, "more than 63 bits"),
            ([UInt8](repeating: 0xFF, count: 8) + [0x7F, 1], nil, "beyond number 10"),
            ([0, 3], [1, 2], "3 clients has 2 values"), ([0, 1], [], "1 client has 0 values"),
            ([0, 1], [0x80], "within a number"),
        ] as [([UInt8], [UInt8]?, String)])
    func `bytes that are no list are refused`(_ runs: [UInt8], _ values: [UInt8]?, _ expected: String) {
        let error = #expect(throws: StoreError.self) {
            try StoredClientList(runs: Data(runs), values: values.map { Data($0) }, limit: 10)
        }
        #expect("\(error as Any)".contains(expected), "\(error as Any)")
    }

    @Test(arguments: [
        "UPDATE client_lists SET runs = x'0033'", "UPDATE client_lists SET runs = x'0080'",
        "UPDATE clients SET name = 'x' WHERE name = 'edge-7'",
    ])
    func `a list that is another one than its digest says is neither served nor passed by verify`(
        _ tampering: String
    ) async throws {
        try await withDirectory { directory in
            let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            let store = try SQLiteStore(directory: directory, logger: logger)
            let live = try await LiveFederation(creating: "digits", in: Stores(store)) { $0.policy.minimumClients = 52 }
            for index in 0..<52 { try await live.register("edge-\(index)") }
            let names = (0..<52).map { "edge-\($0)" }.sorted().map { "\($0)\n" }.joined()
            let digest = Sample.contentDigest(names)
            #expect(try await store.list(digest, of: live.id)?.clients.count == 52)
            #expect(try store.audit().findings.isEmpty)
            try await store.pool.write { try $0.execute(sql: tampering) }
            await #expect(throws: StoreError.self) { try await store.list(digest, of: live.id) }
            #expect(try store.audit().findings.count { $0.hasPrefix("digits: ") } == 1)
            try store.close()
        }
    }

    @Test(arguments: [30, 21_000])
    func `a list of few clients, or of most, is stored by their numbers and read by their names`(
        _ count: Int
    ) async throws {
        try await withDirectory { directory in
            let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            let store = try SQLiteStore(directory: directory, logger: logger)
            let live = try await LiveFederation(creating: "digits", in: Stores(store)) { $0.policy.minimumClients = 52 }
            // Their numbers are in another order than their names.
            try await store.pool.write { database in
                try database.execute(
                    sql: """
                        WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 22000)
                        INSERT INTO clients (federation, name, rank, token, capabilities, registered_at, last_seen_at, number)
                        SELECT 1, 'edge-' || n, 4, x'00', '{}', 0, 0, 22001 - n FROM numbers
                        """)
            }
            let names = try (1...count).map { try ClientName("edge-\($0)") }.sorted()
            let list = ClientList(
                clients: names, values: nil, digest: Sample.contentDigest(names.map { "\($0)\n" }.joined()))
            let machine = live.machine
            try await store.pool.write { database in
                try FederationWriter(machine.settings, key: 1, database: database).store(.list(list))
            }
            #expect(try await store.list(list.digest, of: live.id) == list)
            try store.close()
        }
    }
}
