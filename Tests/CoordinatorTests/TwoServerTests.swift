import Aggregation
import Federation
import Logging
import SQLiteStore
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
}
