package import Federation
import Foundation
import Testing

/// An implementation of the store ports that the checks run against.
package struct StoreUnderTest: Sendable, CustomTestStringConvertible {
    package let testDescription: String
    /// Opens the store of a folder, which may not exist yet.
    private let open: @Sendable (_ folder: String) throws -> OpenStore

    package init(_ name: String, open: @escaping @Sendable (_ folder: String) throws -> OpenStore) {
        testDescription = name
        self.open = open
    }

    /// Runs a test on a store in a fresh folder, which is deleted afterwards.
    func withStore(_ test: @escaping (OpenStore) async throws -> Void) async throws {
        try await withRuns([test])
    }

    /// Runs a test across a restart: `second` gets the store opened again on what `first` left.
    func withRestart(
        _ first: @escaping (OpenStore) async throws -> Void, then second: @escaping (OpenStore) async throws -> Void
    ) async throws {
        try await withRuns([first, second])
    }

    /// Runs tests one after another, each on the store opened again.
    func withRuns(_ tests: [(OpenStore) async throws -> Void]) async throws {
        try await withDirectory { folder in
            for test in tests {
                let store = try open(folder)
                try await test(store)
                try store.close()
            }
        }
    }
}

/// A store between its opening and its closing.
package struct OpenStore: Sendable {
    package var stores: Stores
    /// Has the clock go on by which leases and the grace of blobs expire.
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

/// One promise of the ports, and how it is looked at. It reports what it finds as issues of the test that runs it.
package struct ConformanceCheck: Sendable, CustomTestStringConvertible {
    package let testDescription: String
    package let run: @Sendable (StoreUnderTest) async throws -> Void

    init(_ promise: String, _ run: @escaping @Sendable (StoreUnderTest) async throws -> Void) {
        testDescription = promise
        self.run = run
    }

    /// All that the ports promise.
    package static let all =
        MetadataConformance.checks + StepConformance.checks + RoundPolicyConformance.checks + BlobConformance.checks
        + AdapterConformance.checks + SharingConformance.checks
}

extension AdapterStore {
    /// The adapter slot of a round, which most tests are about.
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

/// Runs a test with a path that nothing exists at yet, and deletes what it leaves there.
package func withDirectory(_ test: (String) async throws -> Void) async throws {
    let directory = NSTemporaryDirectory() + "rankwise-store-" + UUID().uuidString
    defer { try? FileManager.default.removeItem(atPath: directory) }
    try await test(directory)
}
