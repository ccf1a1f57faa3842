package import Federation
import Foundation
import Testing

/// An implementation of the store ports to be checked.
package struct StoreUnderTest: Sendable, CustomTestStringConvertible {
    package let testDescription: String
    /// Opens the store of a folder, which may not exist yet.
    private let open: @Sendable (_ folder: String) throws -> OpenStore
    /// Deletes what a test left outside of its folder.
    private let clean: @Sendable (_ folder: String) -> Void

    package init(
        _ name: String, open: @escaping @Sendable (_ folder: String) throws -> OpenStore,
        clean: @escaping @Sendable (_ folder: String) -> Void = { _ in }
    ) {
        testDescription = name
        self.open = open
        self.clean = clean
    }

    /// Runs a test on a store in a new folder, which is deleted afterwards.
    func withStore(_ test: @escaping (OpenStore) async throws -> Void) async throws {
        try await withRuns([test])
    }

    /// Runs a test across a restart: `second` receives the store, opened again with the data of `first`.
    func withRestart(
        _ first: @escaping (OpenStore) async throws -> Void, then second: @escaping (OpenStore) async throws -> Void
    ) async throws {
        try await withRuns([first, second])
    }

    /// Runs tests one after another, and opens the store again for each.
    func withRuns(_ tests: [(OpenStore) async throws -> Void]) async throws {
        try await withDirectory { folder in
            defer { clean(folder) }
            for test in tests {
                let store = try open(folder)
                try await test(store)
                try store.close()
            }
        }
    }
}

/// A store that is open.
package struct OpenStore: Sendable {
    package var stores: Stores
    /// Advances the clock by which leases and the grace period of blobs expire.
    package let advance: @Sendable (_ seconds: Double) -> Void
    package let close: @Sendable () throws -> Void

    package init(
        _ stores: Stores, advance: @escaping @Sendable (_ seconds: Double) -> Void,
        close: @escaping @Sendable () throws -> Void
    ) {
        self.stores = stores
        self.advance = advance
        self.close = close
    }

    var metadata: any MetadataStore { stores.metadata }
    var blobs: any BlobStore { stores.blobs }
    var adapters: any AdapterStore { stores.adapters }
}

/// One promise of the ports with its check. The check reports faults as issues of the test that runs it.
package struct ConformanceCheck: Sendable, CustomTestStringConvertible {
    package let testDescription: String
    package let run: @Sendable (StoreUnderTest) async throws -> Void

    init(_ promise: String, _ run: @escaping @Sendable (StoreUnderTest) async throws -> Void) {
        testDescription = promise
        self.run = run
    }

    /// The checks of all promises.
    package static let all =
        MetadataConformance.checks + StepConformance.checks + RoundPolicyConformance.checks + BlobConformance.checks
        + AdapterConformance.checks + SharingConformance.checks + PartConformance.checks
        + TransferConformance.checks + EvaluationConformance.checks
}

extension AdapterStore {
    /// Appends to a round's adapter slot, which most tests use.
    package func append(_ parts: [AdapterPart], of federation: FederationID, round: Int) throws(StoreError) {
        try append(parts, to: AdapterAddress(federation: federation, round: round, slot: .adapter))
    }

    package func rows(
        _ count: Int, of tensor: AdapterTensor, federation: FederationID, round: Int
    ) throws(StoreError) -> [Float] {
        try rows(count, of: tensor, at: AdapterAddress(federation: federation, round: round, slot: .adapter))
    }

    package func removeAdapter(of federation: FederationID, round: Int) throws(StoreError) {
        try remove(.adapter, ofRounds: round...round, in: federation)
    }
}

/// Runs a test with a path where nothing exists yet, and deletes what the test leaves there.
package func withDirectory(_ test: (String) async throws -> Void) async throws {
    let directory = NSTemporaryDirectory() + "rankwise-store-" + UUID().uuidString
    defer { try? FileManager.default.removeItem(atPath: directory) }
    try await test(directory)
}
