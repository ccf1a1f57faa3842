import Federation
import Foundation
import SQLiteStore
import Synchronization
import Testing

@testable import Coordinator

@Suite struct UpdateTests {
    /// A federation in round 1 with one client of rank 2, and what is in its spool and blob folders.
    private func start(
        wrapping wrap: (inout Stores, SQLiteStore) -> Void = { _, _ in }
    ) async throws -> (TestServer, FederationID, ClientName) {
        let server = try await TestServer(wrapping: wrap)
        let federation = try await server.federation()
        let client = try await server.register("edge", rank: 2, in: federation)
        _ = try await server.register("other", rank: 4, in: federation)
        return (server, federation, client)
    }

    private func spool(of server: TestServer) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: server.folder.path + "/data/spool")
    }

    @Test func `the same bytes and samples again get the same receipt`() async throws {
        let (server, federation, client) = try await start()
        let file = try adapterFile(rank: 2, value: 1)
        let first = try await server.send(file, of: client, round: 1, in: federation)
        let again = try await server.send(file, of: client, round: 1, in: federation)
        #expect(first.isNew && !again.isNew)
        #expect(again.update == first.update)
        #expect(again.received == 1)
        #expect(try spool(of: server).isEmpty)
    }

    @Test func `bytes sent again count anew where the update is taken back while they come`() async throws {
        let (server, federation, client) = try await start()
        let file = try adapterFile(rank: 2, value: 1)
        let first = try await server.send(file, of: client, round: 1, in: federation)
        let claim = UpdateService.Claim(
            federation: federation, round: 1, client: client, samples: 10,
            metrics: Metrics(loss: 0.5, accuracy: 0.75), digest: nil)
        let ticket = try await server.services.updates.begin(claim, byteCount: file.count)
        try Data(file).write(to: URL(fileURLWithPath: ticket.spool.path))
        try await server.services.updates.takeBack(updateOf: client, round: 1, in: federation)
        #expect(try server.snapshot(federation).round?.acceptedCount == 0)
        let again = try await server.services.updates.finish(
            ticket, digest: first.update.digest, byteCount: file.count)
        #expect(again.isNew)
        #expect(try server.snapshot(federation).round?.acceptedCount == 1)
    }

    @Test func `other bytes or other samples in the same round are a conflict`() async throws {
        let (server, federation, client) = try await start()
        let file = try adapterFile(rank: 2, value: 1)
        _ = try await server.send(file, of: client, round: 1, in: federation)
        await #expect(throws: ServiceError.round(.updateExists(round: 1))) {
            try await server.send(file, of: client, round: 1, samples: 11, in: federation)
        }
        let other = try adapterFile(rank: 2, value: 2)
        await #expect(throws: ServiceError.round(.updateExists(round: 1))) {
            try await server.send(other, of: client, round: 1, in: federation)
        }
        #expect(try spool(of: server).isEmpty)
    }

    @Test func `an unsound update stands on its round with the reason, and the client may try again`() async throws {
        let (server, federation, client) = try await start()
        let cases: [(file: [UInt8], code: String, detail: String)] = [
            (
                try adapterFile(rank: 2, value: 1, inputs: 7), "update.shape",
                "fc1.lora_A.weight is 2×7; this federation has 2×6"
            ),
            (try adapterFile(rank: 3, value: 1), "update.rank", "fc1.lora_A.weight has rank 3; the granted rank is 2"),
            (
                try adapterFile(rank: 2, value: .nan), "update.not_finite",
                "fc1.lora_A.weight holds 12 values that are not finite"
            ),
            (Array("no safetensors".utf8), "update.format", ""),
        ]
        for (file, code, detail) in cases {
            let error = await #expect(throws: ServiceError.self) {
                try await server.send(file, of: client, round: 1, in: federation)
            }
            guard case .update(let refusal) = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
            #expect(refusal.code == code)
            #expect(detail.isEmpty || refusal.detail == detail)
        }
        let round = try #require(try server.snapshot(federation).round)
        #expect(round.refusals.map(\.code) == cases.map(\.code))
        #expect(round.participations[client]?.state == .awaited)
        #expect(try spool(of: server).isEmpty)
        _ = try await server.send(try adapterFile(rank: 2, value: 1), of: client, round: 1, in: federation)
    }

    @Test func `a full disk loses nothing and heals`() async throws {
        let gate = Mutex<GatedStore?>(nil)
        let (server, federation, client) = try await start { stores, store in
            let gated = GatedStore(store)
            gate.withLock { $0 = gated }
            stores.metadata = gated
            stores.adapters = gated
        }
        let gated = try #require(gate.withLock { $0 })
        let file = try adapterFile(rank: 2, value: 1)
        gated.set(.failing(.full))
        await #expect(throws: ServiceError.store(.full)) {
            try await server.send(file, of: client, round: 1, in: federation)
        }
        #expect(try server.snapshot(federation).round?.updates.isEmpty == true)
        #expect(try spool(of: server).isEmpty)
        gated.set(.open)
        #expect(try await server.send(file, of: client, round: 1, in: federation).isNew)
    }

    @Test func `status is answered while the store is held up, and the burst behind it shares a step`() async throws {
        let gate = Mutex<GatedStore?>(nil)
        let server = try await TestServer { stores, store in
            let gated = GatedStore(store)
            gate.withLock { $0 = gated }
            stores.metadata = gated
            stores.adapters = gated
        }
        let gated = try #require(gate.withLock { $0 })
        let federation = try await server.federation(minimum: 8)
        var clients: [ClientName] = []
        for index in 0..<7 { clients.append(try await server.register("edge-\(index)", rank: 1, in: federation)) }
        let before = try server.snapshot(federation).revision
        gated.set(.held)
        let file = try adapterFile(rank: 1, value: 1)
        async let last = server.register("edge-7", rank: 1, in: federation)
        await gated.commitArrives()
        #expect(try server.snapshot(federation).revision == before)
        #expect(try server.services.plans.plan(for: clients[0], in: federation).phase == nil)
        gated.set(.open)
        clients.append(try await last)
        #expect(try server.snapshot(federation).round?.number == 1)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for client in clients.dropLast() {
                group.addTask { _ = try await server.send(file, of: client, round: 1, in: federation) }
            }
            try await group.waitForAll()
        }
        #expect(try server.snapshot(federation).round?.updates.count == 7)
    }

    @Test func `an update for a past round is answered with the current one`() async throws {
        let server = try await TestServer()
        let federation = try await server.federation(minimum: 1)
        let client = try await server.register("edge", rank: 2, in: federation)
        let file = try adapterFile(rank: 2, value: 1)
        try await server.aggregating {
            _ = try await server.send(file, of: client, round: 1, in: federation)
            try await server.wait(forRound: 2, in: federation)
        }
        await #expect(throws: ServiceError.round(.closed(round: 1, current: 2))) {
            let late = try await server.register("late", rank: 1, in: federation)
            return try await server.send(file, of: late, round: 1, in: federation)
        }
        let receipt = try await server.send(file, of: client, round: 1, in: federation)
        #expect(!receipt.isNew)
    }
}
