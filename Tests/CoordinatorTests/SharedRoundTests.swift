import Aggregation
import Federation
import Foundation
import SQLiteStore
import Synchronization
import Testing

@testable import Coordinator

/// Rounds under `sum: exact` that several workers add up.
@Suite struct SharedRoundTests {
    private static let clients: [(name: String, rank: Int, value: Float, samples: Int)] = [
        ("a", 2, 1.0 / 3, 30), ("b", 4, 0.1, 7), ("c", 4, -7.25, 999), ("d", 1, 1e-6, 1), ("e", 3, 0.7, 12),
        ("f", 4, 1e3, 2), ("g", 2, -1.0 / 7, 55),
    ]
    private static let limits = PartLimits(bytes: 1, clients: 1)

    /// So many servers over one store, and what their workers have finished.
    private struct Workers {
        let servers: [TestServer]
        let parts: [CountedParts]
        let federation: FederationID

        init(_ count: Int, idle: Set<Int> = []) async throws {
            var servers: [TestServer] = []
            var parts: [CountedParts] = []
            for index in 0..<count {
                let own = CountedParts(workerCount: count)
                let wrap: (inout Stores, SQLiteStore) -> Void = { stores, sqlite in
                    own.store.withLock { $0 = sqlite }
                    stores.parts = own
                    if idle.contains(index) { stores.jobs = IdleLeases(store: sqlite) }
                }
                if let first = servers.first {
                    servers.append(try await TestServer(sharing: first, partLimits: limits, wrapping: wrap))
                } else {
                    servers.append(try await TestServer(partLimits: limits, wrapping: wrap))
                }
                parts.append(own)
            }
            self.servers = servers
            self.parts = parts
            federation = try await servers[0].federation(
                rounds: 1, minimum: clients.count, strategy: .init(name: "rbla", sum: .exact)
            ) { $0.limits.factorOverMedian = nil }
            for client in clients { _ = try await servers[0].register(client.name, rank: client.rank, in: federation) }
            for server in servers.dropFirst() { try await server.services.runtime.find(federation) }
        }

        func send(_ index: Int) async throws -> UpdateService.Receipt {
            let client = clients[index]
            return try await servers[0].send(
                try adapterFile(rank: client.rank, value: client.value), of: try ClientName(client.name), round: 1,
                samples: client.samples, in: federation)
        }

        /// Runs the workers of all servers while the body runs.
        func working<Value: Sendable>(_ body: @Sendable () async throws -> Value) async throws -> Value {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for server in servers { group.addTask { await server.services.run(tickEvery: .milliseconds(20)) } }
                defer { group.cancelAll() }
                return try await body()
            }
        }

        func published() async throws -> ContentDigest {
            try await servers[0].wait(in: federation) { $0.state == .finished }
            guard case .published(let adapter) = try servers[0].snapshot(federation).round?.phase else {
                throw StoreError.failed("the round was not published")
            }
            return adapter.digest
        }
    }

    @Test func `one, two and five workers publish the same bytes, in whatever order updates arrive`() async throws {
        var digests: Set<ContentDigest> = []
        for (count, order) in [(1, [0, 1, 2, 3, 4, 5, 6]), (2, [6, 2, 4, 0, 5, 1, 3]), (5, [3, 5, 1, 6, 0, 2, 4])] {
            let workers = try await Workers(count)
            digests.insert(
                try await workers.working {
                    for index in order { _ = try await workers.send(index) }
                    return try await workers.published()
                })
            #expect(workers.parts.map(\.finished).reduce(0, +) == (count == 1 ? 0 : count))
            let store = workers.servers[0].sqlite
            #expect(try await store.sharedRound(1, of: workers.federation) == nil)
        }
        #expect(digests.count == 1)
    }

    @Test func `whoever holds the round combines what another worker has added`() async throws {
        let workers = try await Workers(2, idle: [0])
        for index in Self.clients.indices { _ = try await workers.send(index) }
        // The first takes the round and no part of it, so the second adds both.
        try await workers.servers[0].aggregating {
            while try await workers.servers[0].sqlite.sharedRound(1, of: workers.federation) == nil {
                await Task.yield()
            }
            _ = try await workers.working { try await workers.published() }
        }
        #expect(workers.parts.map(\.finished) == [0, 2])
    }

    @Test func `an update that any worker finds lost is asked for again`() async throws {
        let workers = try await Workers(2)
        let lost = try await workers.send(6)
        let blob = try #require(try workers.servers[0].sqlite.lend(lost.update.digest)).path
        try FileManager.default.removeItem(atPath: blob)
        for index in 0..<6 { _ = try await workers.send(index) }
        let name = try ClientName("g")
        try await workers.working {
            try await workers.servers[0].wait(in: workers.federation) {
                $0.round?.participations[name]?.state == .awaited
            }
            guard
                case .lost(let reason) = try workers.servers[0].snapshot(workers.federation).round?.updates[name]?
                    .status
            else {
                Issue.record("expected a lost update")
                return
            }
            #expect(reason == "its file is gone")
            _ = try await workers.send(6)
            _ = try await workers.published()
        }
        let round = try await workers.servers[0].services.rounds.round(1, of: workers.federation).round
        #expect(round.decisions.map(\.kind).contains("update.lost"))
        #expect(round.acceptedCount == 7)
    }

    @Test func `a round is cut into parts of similar length, and a small one is not cut`() throws {
        func updates(_ sizes: [Int]) throws -> [Update] {
            let digest = try #require(ContentDigest(bytes: [UInt8](repeating: 1, count: 32)))
            return try sizes.enumerated().map { index, size in
                Update(
                    client: try ClientName("c\(index)"), digest: digest, byteCount: size, rank: 1, samples: 1,
                    metrics: Metrics(), receivedAt: Timestamp(milliseconds: 0))
            }
        }
        func cut(_ sizes: [Int], workers: Int, _ limits: PartLimits = Self.limits) throws -> [[Int]]? {
            let all = try updates(sizes)
            return SharedRound(all, workers: workers, limits: limits)?.parts.map { part in
                all.indices.filter { part.contains(all[$0].client) }
            }
        }
        #expect(try cut([1, 1, 1, 1, 1, 1], workers: 3) == [[0, 1], [2, 3], [4, 5]])
        #expect(try cut([90, 1, 1, 1], workers: 2) == [[0], [1, 2, 3]])
        #expect(try cut([1, 1, 1, 90], workers: 2) == [[0, 1, 2], [3]])
        #expect(try cut([90, 1, 1], workers: 5) == [[0], [1], [2]])
        #expect(try cut([1, 1], workers: 1) == nil)
        #expect(try cut([10, 10, 10, 10], workers: 4, PartLimits(bytes: 21, clients: 1)) == nil)
        #expect(try cut([10, 10, 10, 10], workers: 4, PartLimits(bytes: 20, clients: 1)) == [[0, 1], [2, 3]])
        #expect(try cut([10, 10, 10, 10], workers: 4, PartLimits(bytes: 1, clients: 2)) == [[0, 1], [2, 3]])
    }
}

/// The parts of a store as one of several workers sees them, and how many it has finished.
private final class CountedParts: PartStore {
    let store = Mutex<SQLiteStore?>(nil)
    let workerCount: Int
    private let count = Atomic(0)
    var finished: Int { count.load(ordering: .relaxed) }

    init(workerCount: Int) { self.workerCount = workerCount }

    private func parts() throws(StoreError) -> SQLiteStore {
        guard let store = store.withLock({ $0 }) else { throw .gone }
        return store
    }

    func share(_ round: SharedRound, under lease: Lease) async throws(StoreError) -> SharedRound {
        try await parts().share(round, under: lease)
    }

    func sharedRound(_ round: Int, of federation: FederationID) async throws(StoreError) -> SharedRound? {
        try await parts().sharedRound(round, of: federation)
    }

    func finish(_ lease: Lease, basis: ContentDigest, with result: PartResult) async throws(StoreError) {
        try await parts().finish(lease, basis: basis, with: result)
        count.add(1, ordering: .relaxed)
    }

    func unshare(under lease: Lease) async throws(StoreError) { try await parts().unshare(under: lease) }
}

/// The leases of a worker that never takes a part.
private struct IdleLeases: JobStore {
    let store: SQLiteStore

    func take(_ job: Job, seconds: Double) async throws(StoreError) -> Lease? {
        if case .part = job.kind { return nil }
        return try await store.take(job, seconds: seconds)
    }

    func renew(_ lease: Lease, seconds: Double) async throws(StoreError) -> Bool {
        try await store.renew(lease, seconds: seconds)
    }

    func giveUp(_ lease: Lease) async throws(StoreError) { try await store.giveUp(lease) }
    func finish(_ lease: Lease) async throws(StoreError) { try await store.finish(lease) }
}
