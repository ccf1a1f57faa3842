import Federation
import SQLiteStore
import Testing

@testable import Coordinator

/// A session whose federation somebody else writes to.
@Suite struct FollowerTests {
    /// A server with a running federation, and another session of it, whose store can be made to fail.
    private struct Pair {
        let server: TestServer
        let federation: FederationID
        let gate: GatedStore
        let follower: FederationSession

        init() async throws {
            server = try await TestServer()
            federation = try await server.federation()
            for name in ["one", "two"] { _ = try await server.register(name, rank: 4, in: federation) }
            gate = GatedStore(server.sqlite)
            let stored = try #require(try await server.sqlite.federation(federation))
            follower = FederationSession(
                stored, metadata: gate, presence: server.sqlite.presence(of: federation), clock: server.clock,
                sampler: HashedSampler(), observers: .init(aggregationDue: { _ in }, event: { _, _ in }))
        }
    }

    @Test func `a step that cannot be read when it is announced is read at the next tick`() async throws {
        let pair = try await Pair()
        _ = try await pair.server.register("three", rank: 4, in: pair.federation)
        let revision = try pair.server.snapshot(pair.federation).revision
        pair.gate.set(.failing(.failed("the store starts again")))
        await #expect(throws: StoreError.self) { try await pair.follower.catchUp(to: revision) }
        await #expect(throws: StoreError.self) { try await pair.follower.tick() }
        #expect(pair.follower.snapshot.machine.revision < revision)
        pair.gate.set(.open)
        try await pair.follower.tick()
        #expect(pair.follower.snapshot.machine.revision == revision)
    }

    @Test func `a server reads what was stored between its loading and its listening`() async throws {
        let pair = try await Pair()
        let behind = try pair.server.snapshot(pair.federation)
        _ = try await pair.follower.perform(.setState(.paused)).get()
        #expect(try pair.server.snapshot(pair.federation).revision == behind.revision)
        try await pair.server.aggregating {
            for _ in 0..<100_000 where try pair.server.snapshot(pair.federation).state == .running {
                await Task.yield()
            }
        }
        #expect(try pair.server.snapshot(pair.federation).state == .paused)
    }
}
