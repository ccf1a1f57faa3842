import Federation
import Foundation
import Logging
import SQLiteStore
import Testing

/// An implementation of the store ports that the conformance suites run against.
struct StoreUnderTest: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let open: @Sendable (_ directory: String) throws -> OpenStore

    static let all = [
        StoreUnderTest(testDescription: "SQLite") { directory in
            let store = try SQLiteStore(
                directory: directory, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            return OpenStore(federations: store, adapters: store) { try store.close() }
        }
    ]

    /// Runs a test on a store in a fresh directory, which is deleted afterwards.
    func withStore(_ test: (OpenStore) async throws -> Void) async throws {
        try await withDirectory { directory in
            let store = try open(directory)
            try await test(store)
            try store.close()
        }
    }

    /// Runs a test across a restart: `second` gets the store opened again on what `first` left.
    func withRestart(
        _ first: (OpenStore) async throws -> Void, then second: (OpenStore) async throws -> Void
    ) async throws {
        try await withDirectory { directory in
            var store = try open(directory)
            try await first(store)
            try store.close()
            store = try open(directory)
            try await second(store)
            try store.close()
        }
    }
}

/// A store between its opening and its closing.
struct OpenStore: Sendable {
    let federations: any FederationStore
    let adapters: any AdapterStore
    let close: @Sendable () throws -> Void
}

extension AdapterStore {
    /// The adapter slot of a round, which most tests are about.
    func append(_ parts: [AdapterPart], of federation: FederationID, round: Int) throws(StoreError) {
        try append(parts, to: AdapterAddress(federation: federation, round: round, slot: .adapter))
    }

    func rows(
        _ count: Int, of tensor: AdapterTensor, federation: FederationID, round: Int
    ) throws(StoreError) -> [Float] {
        try rows(count, of: tensor, at: AdapterAddress(federation: federation, round: round, slot: .adapter))
    }

    func removeAdapter(of federation: FederationID, round: Int) throws(StoreError) {
        try remove(.adapter, ofRounds: round...round, in: federation)
    }
}

/// Runs a test with a path that nothing exists at yet, and deletes what it leaves there.
func withDirectory(_ test: (String) async throws -> Void) async throws {
    let directory = NSTemporaryDirectory() + "rankwise-store-" + UUID().uuidString
    defer { try? FileManager.default.removeItem(atPath: directory) }
    try await test(directory)
}
