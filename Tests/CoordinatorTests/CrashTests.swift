import AdapterFormat
import Federation
import Foundation
import SQLiteStore
import Synchronization
import Testing

@testable import Coordinator

/// Servers that stop at any write of what a round leaves, and start again on what was written.
@Suite struct CrashTests {
    private static let tensors = ["fc1", "fc2"].flatMap { name in
        [AdapterTensor.Kind.a, .b].map { AdapterTensor(name: name, kind: $0) }
    }

    /// All numbers in the slots of a federation's rounds.
    private func contents(
        of server: TestServer, _ id: FederationID, slots: [AdapterSlot], rounds: ClosedRange<Int>
    ) throws -> [[Float]] {
        try slots.flatMap { slot in
            try rounds.flatMap { round in
                try Self.tensors.map {
                    try server.sqlite.rows(
                        .max, of: $0, at: AdapterAddress(federation: id, round: round, slot: slot))
                }
            }
        }
    }

    private func train(_ server: TestServer, _ id: FederationID, rounds: ClosedRange<Int>) async throws {
        let clients = try ["edge-1", "edge-2"].map { try ClientName($0) }
        for round in rounds {
            for (index, client) in clients.enumerated() {
                let file = try adapterFile(rank: index + 1, value: Float(round) / 8 - Float(index), fc2Rank: index + 1)
                _ = try await server.send(file, of: client, round: round, in: id)
            }
            try await server.wait(forRound: round + 1, in: id)
        }
    }

    private func copy(_ folder: TemporaryFolder) throws -> TemporaryFolder {
        let target = try TemporaryFolder()
        try FileManager.default.copyItem(atPath: folder.path + "/data", toPath: target.path + "/data")
        return target
    }

    @Test(
        arguments: [
            (.init(name: "flora"), .init(), nil),
            (.init(name: "rbla"), .init(optimizer: "adam", learningRate: 0.1), nil),
            (.init(name: "rbla"), .init(), .init(rule: "clip", parameters: ["norm": .number(0.5)])),
        ] as [(FederationSettings.Strategy, FederationSettings.Server, FederationSettings.Robust?)])
    func `a round whose aggregation is cut off at any write leaves the same bytes when it is run again`(
        _ strategy: FederationSettings.Strategy, _ server: FederationSettings.Server,
        _ robust: FederationSettings.Robust?
    ) async throws {
        let slots: [AdapterSlot] = [.adapter, .merge, .moment(0), .moment(1)]
        // One round, and the updates of the next.
        let prepared = try await TestServer()
        let id = try await prepared.federation(rounds: 3, strategy: strategy, server: server) {
            $0.robust = robust
        }
        for name in ["edge-1", "edge-2"] { _ = try await prepared.register(name, rank: 4, in: id) }
        try await prepared.aggregating { try await train(prepared, id, rounds: 1...1) }
        try prepared.close()
        func finish(_ folder: TemporaryFolder) async throws -> (contents: [[Float]], digest: ContentDigest) {
            let server = try await TestServer(folder: folder)
            if try server.snapshot(id).round?.phase == .collecting {
                try await server.aggregating { try await train(server, id, rounds: 2...2) }
            } else {
                try await server.aggregating {
                    await server.services.tick()
                    try await server.wait(forRound: 3, in: id)
                }
            }
            let round = try #require(try await server.sqlite.round(2, of: id))
            guard case .published(let adapter) = round.phase else { throw StoreError.failed("not published") }
            let contents = try contents(of: server, id, slots: slots, rounds: 2...2)
            try server.close()
            return (contents, adapter.digest)
        }
        let expected = try await finish(try copy(prepared.folder))
        #expect(expected.contents.contains { !$0.isEmpty })
        var writes = 0
        while true {
            let folder = try copy(prepared.folder)
            guard
                try await cutOff(
                    after: writes, in: folder,
                    { server in
                        try await train(server, id, rounds: 2...2)
                    })
            else { break }
            let found = try await finish(folder)
            #expect(found == expected, "cut off after \(writes) writes")
            writes += 1
        }
        #expect(writes >= (robust == nil ? 4 : 3))
    }

    @Test func `folding that is cut off at any write leaves the same sum when it is run again`() async throws {
        let slots: [AdapterSlot] = [.merge, .mergeTotal]
        let prepared = try await TestServer()
        let id = try await prepared.federation(rounds: 30, strategy: .init(name: "flora"))
        for name in ["edge-1", "edge-2"] { _ = try await prepared.register(name, rank: 4, in: id) }
        try await prepared.aggregating {
            try await train(prepared, id, rounds: 1...17)
            try await folded(through: 1, prepared, id)
        }
        try prepared.close()
        func finish(_ folder: TemporaryFolder) async throws -> [[Float]] {
            let server = try await TestServer(folder: folder)
            if try server.snapshot(id).publishedRound == 17 {
                try await server.aggregating {
                    try await train(server, id, rounds: 18...18)
                    try await folded(through: 2, server, id)
                }
            } else {
                try await server.aggregating { try await folded(through: 2, server, id) }
            }
            let contents = try contents(of: server, id, slots: slots, rounds: 1...18)
            try server.close()
            return contents
        }
        let expected = try await finish(try copy(prepared.folder))
        var writes = 0
        while true {
            let folder = try copy(prepared.folder)
            let wasCutOff = try await cutOff(after: writes, in: folder, folding: true) { server in
                try await train(server, id, rounds: 18...18)
                try await folded(through: 2, server, id)
            }
            guard wasCutOff else { break }
            #expect(try await finish(folder) == expected, "cut off after \(writes) writes")
            writes += 1
        }
        #expect(writes >= 4)
    }

    /// Waits until nothing but the sum is left of the merges up to `round`.
    private func folded(through round: Int, _ server: TestServer, _ id: FederationID) async throws {
        let first = AdapterAddress(federation: id, round: round, slot: .merge)
        let total = AdapterAddress(federation: id, round: round - 1, slot: .mergeTotal)
        while try server.sqlite.merges(of: id).foldedThrough < round
            || server.sqlite.rowCount(of: Self.tensors[0], at: first) > 0
            || server.sqlite.rowCount(of: Self.tensors[0], at: total) > 0
        {
            try Task.checkCancellation()
            await Task.yield()
        }
    }

    /// Runs `body` on a server whose store fails every write of an aggregation, or of folding, after the first ones, and
    /// stops the server at the first failure; answers whether there was one.
    private func cutOff(
        after writes: Int, in folder: TemporaryFolder, folding: Bool = false,
        _ body: @escaping @Sendable (TestServer) async throws -> Void
    ) async throws -> Bool {
        let (failures, failure) = AsyncStream.makeStream(of: Void.self)
        let seen = Mutex(0)
        let server = try await TestServer(folder: folder) { stores, sqlite in
            let store = GatedStore(sqlite)
            store.onAdapterWrite { write throws(StoreError) in
                guard write.isOfFolding == folding else { return }
                let count = seen.withLock { seen in
                    seen += 1
                    return seen
                }
                guard count > writes else { return }
                failure.yield()
                throw .failed("cut off")
            }
            stores.metadata = store
            stores.adapters = store
        }
        let wasCutOff = try await server.aggregating {
            try await withThrowingTaskGroup(of: Bool.self) { group in
                group.addTask {
                    for await _ in failures { return true }
                    throw CancellationError()
                }
                group.addTask {
                    try await body(server)
                    return false
                }
                defer { group.cancelAll() }
                return try await group.next() ?? false
            }
        }
        try server.close()
        return wasCutOff
    }
}

extension GatedStore.AdapterWrite {
    /// Aggregation removes its own round alone.
    fileprivate var isOfFolding: Bool {
        switch self {
        case .fold, .append(.mergeTotal), .remove(.mergeTotal, _): true
        case .remove(.merge, let rounds): rounds.lowerBound == 1
        case .remove, .append: false
        }
    }
}
