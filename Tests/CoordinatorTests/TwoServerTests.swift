import Federation
import SQLiteStore
import Synchronization
import Testing

@testable import Coordinator

/// Two servers over one store. Nothing is announced, so each has an old copy of what the other one has stored.
@Suite struct TwoServerTests {
    private struct Servers {
        let here: TestServer
        let there: TestServer
        let federation: FederationID
        let edge: ClientName
        let other: ClientName

        init(missed: RoundPolicy.MissedQuorum = .extend) async throws {
            here = try await TestServer()
            federation = try await here.federation(rounds: 3, missed: missed)
            edge = try await here.register("edge", rank: 2, in: federation)
            other = try await here.register("other", rank: 2, in: federation)
            there = try await TestServer(sharing: here)
        }
    }

    @Test func `an update that the other server has taken is received, though its round has closed since`() async throws
    {
        let servers = try await Servers()
        let file = try adapterFile(rank: 2, value: 1)
        let first = try await servers.there.send(file, of: servers.edge, round: 1, in: servers.federation)
        _ = try await servers.there.send(
            try adapterFile(rank: 2, value: 2), of: servers.other, round: 1, in: servers.federation)
        #expect(try servers.there.snapshot(servers.federation).round?.phase == .aggregating)
        #expect(try servers.here.snapshot(servers.federation).round?.phase == .collecting)
        let again = try await servers.here.send(file, of: servers.edge, round: 1, in: servers.federation)
        #expect(!again.isNew && again.update == first.update)
        // Now the copy is as new as the store, and other bytes are a conflict as before.
        await #expect(throws: ServiceError.round(.updateExists(round: 1))) {
            try await servers.here.send(
                try adapterFile(rank: 2, value: 9), of: servers.edge, round: 1, in: servers.federation)
        }
    }

    @Test func `an update is received where this server's copy has the one before it`() async throws {
        let servers = try await Servers()
        _ = try await servers.here.send(
            try adapterFile(rank: 2, value: 1), of: servers.edge, round: 1, in: servers.federation)
        try await servers.there.services.updates.takeBack(updateOf: servers.edge, round: 1, in: servers.federation)
        let file = try adapterFile(rank: 2, value: 2)
        let second = try await servers.there.send(file, of: servers.edge, round: 1, in: servers.federation)
        #expect(second.isNew)
        let again = try await servers.here.send(file, of: servers.edge, round: 1, in: servers.federation)
        #expect(!again.isNew && again.update == second.update)
    }

    @Test func `a round that the other server has opened takes an update here`() async throws {
        let servers = try await Servers(missed: .abandon)
        servers.here.clock.advance(seconds: 61)
        await servers.there.services.tick()
        #expect(try servers.there.snapshot(servers.federation).round?.number == 2)
        #expect(try servers.here.snapshot(servers.federation).round?.number == 1)
        let receipt = try await servers.here.send(
            try adapterFile(rank: 2, value: 1), of: servers.edge, round: 2, in: servers.federation)
        #expect(receipt.isNew)
    }

    @Test func `a round that the other server has opened takes a configuration here`() async throws {
        let servers = try await Servers(missed: .abandon)
        servers.here.clock.advance(seconds: 61)
        await servers.there.services.tick()
        try await servers.here.services.configurations.take(
            Array(#"{"r": 2, "lora_alpha": 8}"#.utf8), of: servers.edge, round: 2, in: servers.federation)
    }

    @Test func `a round that the other server has opened takes an upload here`() async throws {
        let servers = try await Servers(missed: .abandon)
        servers.here.clock.advance(seconds: 61)
        await servers.there.services.tick()
        let uploads = servers.here.services.uploads
        let key = UploadKey(federation: servers.federation, round: 2, client: servers.edge)
        let beginning = try await uploads.begin(
            .init(key: key, offset: 0, length: 10, contentLength: 5, contentDigest: nil, completion: nil)
        ) {}
        guard case .append(let ticket) = beginning else {
            Issue.record("the upload is not to be sent: \(beginning)")
            return
        }
        try await uploads.breakOff(ticket, fileLength: 0)
    }

    @Test func `an aggregator takes the updates that the round has when it has the lease`() async throws {
        let jobs = LateLeases()
        let here = try await TestServer { stores, sqlite in
            jobs.store.withLock { $0 = sqlite }
            stores.jobs = jobs
        }
        let federation = try await here.federation()
        let edge = try await here.register("edge", rank: 2, in: federation)
        let other = try await here.register("other", rank: 2, in: federation)
        for client in [edge, other] {
            _ = try await here.send(try adapterFile(rank: 2, value: 1), of: client, round: 1, in: federation)
        }
        let there = try await TestServer(sharing: here)
        jobs.before.withLock {
            $0 = {
                // The other server finds an update lost, and its client sends another one.
                let session = try there.services.runtime.session(federation)
                let lease = try #require(try await there.sqlite.take(Job(.aggregation(round: 1), of: federation)))
                _ = try await session.perform(.lost([edge: "its file is gone"], round: 1), spending: lease)
                _ = try await there.send(try adapterFile(rank: 2, value: 3), of: edge, round: 1, in: federation)
            }
        }
        try await here.aggregating { try await here.wait(forRound: 2, in: federation) }
        let rows = try here.sqlite.rows(
            1, of: AdapterTensor(name: "fc1", kind: .a),
            at: AdapterAddress(federation: federation, round: 1, slot: .adapter))
        #expect(rows.allSatisfy { $0 == 2 }, "the mean of 1 and 3: \(rows)")
    }
}

/// The leases of a store, before the first of which something happens.
private final class LateLeases: JobStore {
    let store = Mutex<SQLiteStore?>(nil)
    let before = Mutex<(@Sendable () async throws -> Void)?>(nil)

    private func leases() throws(StoreError) -> SQLiteStore {
        guard let store = store.withLock({ $0 }) else { throw .gone }
        return store
    }

    func take(_ job: Job, seconds: Double) async throws(StoreError) -> Lease? {
        guard case .aggregation = job.kind else { return try await leases().take(job, seconds: seconds) }
        let happens = before.withLock { before in
            defer { before = nil }
            return before
        }
        do { try await happens?() } catch { throw .failed("\(error)") }
        return try await leases().take(job, seconds: seconds)
    }

    func renew(_ lease: Lease, seconds: Double) async throws(StoreError) -> Bool {
        try await leases().renew(lease, seconds: seconds)
    }

    func giveUp(_ lease: Lease) async throws(StoreError) { try await leases().giveUp(lease) }
    func finish(_ lease: Lease) async throws(StoreError) { try await leases().finish(lease) }
}
