import Federation
import Foundation
import Synchronization
import Testing

@testable import Coordinator

/// Adapters that are not kept, on servers that share a store.
@Suite struct RetentionTests {
    private func trained(_ server: TestServer, rounds: Int = 3) async throws -> FederationID {
        let federation = try await server.federation(rounds: rounds, minimum: 1)
        let edge = try await server.register("edge", rank: 2, in: federation)
        try await server.aggregating {
            for round in 1...rounds {
                _ = try await server.send(
                    try adapterFile(rank: 2, value: Float(round)), of: edge, round: round, in: federation)
                try await server.wait(forRound: round + 1, in: federation)
            }
        }
        return federation
    }

    private func adapter(
        _ server: TestServer, _ round: Int?, of federation: FederationID
    ) async throws
        -> AdapterCache.File
    {
        try await server.services.adapters.file(round: round, rank: 2, elementType: nil, of: federation)
    }

    @Test func `an adapter that another server has dropped is answered as dropped, whatever this server has of it`()
        async throws
    {
        let here = try await TestServer()
        let federation = try await trained(here)
        let there = try await TestServer(sharing: here)
        let copy = try await adapter(there, 1, of: federation)
        let model = try await there.services.models.file(round: 1, rank: nil, elementType: nil, of: federation)
        _ = try await here.services.federations.setRetention(Retention(last: 2), of: federation)
        // Nothing has told the other server of the setting.
        #expect(try there.snapshot(federation).settings.retention == nil)
        let dropped = ServiceError.adapterDropped(round: 1, kept: [0, 2, 3])
        for server in [here, there] {
            await #expect(throws: dropped) { try await adapter(server, 1, of: federation) }
            await #expect(throws: dropped) {
                try await server.services.models.file(round: 1, rank: nil, elementType: nil, of: federation)
            }
            #expect(try await adapter(server, 2, of: federation).byteCount > 0)
        }
        for file in [copy, model] { #expect(!FileManager.default.fileExists(atPath: file.path)) }
        // What is gone stays gone where everything is kept from now on.
        _ = try await here.services.federations.setRetention(nil, of: federation)
        for server in [here, there] {
            await #expect(throws: dropped) { try await adapter(server, 1, of: federation) }
            #expect(try await adapter(server, nil, of: federation).byteCount > 0)
        }
    }

    @Test func `an adapter that another server drops while it is rendered is not served with what is left of it`()
        async throws
    {
        let gate = Mutex<GatedStore?>(nil)
        let server = try await TestServer { stores, sqlite in
            let gated = GatedStore(sqlite)
            gate.withLock { $0 = gated }
            stores.adapters = gated
        }
        let federation = try await trained(server)
        let sqlite = server.sqlite
        let isDropped = Mutex(false)
        try #require(gate.withLock { $0 }).beforeAdapterRead { address in
            guard address.round == 1,
                isDropped.withLock({ isDropped in
                    defer { isDropped = true }
                    return !isDropped
                })
            else { return }
            try? sqlite.remove(.adapter, ofRounds: 1...1, in: federation)
        }
        await #expect(throws: ServiceError.adapterDropped(round: 1, kept: [0, 2, 3])) {
            try await adapter(server, 1, of: federation)
        }
        #expect(isDropped.withLock { $0 })
        #expect(try await adapter(server, 3, of: federation).byteCount > 0)
    }
}
