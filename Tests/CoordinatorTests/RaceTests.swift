import Federation
import Foundation
import SQLiteStore
import Testing

@testable import Coordinator

/// Two who write to one federation, as two servers would.
@Suite struct RaceTests {
    @Test func `a session that lost a race goes on from what is stored`() async throws {
        let server = try await TestServer()
        let federation = try await server.federation(minimum: 3)
        let stored = try #require(try await server.sqlite.federation(federation))
        let reloads = AsyncStream.makeStream(of: Int.self)
        let other = FederationSession(
            stored, store: server.sqlite, clock: server.clock, sampler: HashedSampler(), onAggregationDue: { _ in },
            onEvent: { _, _ in }, onReload: { reloads.continuation.yield($0.clients.count) })
        func register(_ name: String) throws -> FederationMachine.Event {
            .register(
                name: try ClientName(name), rank: 2, token: Access.hash("the token of \(name)"), capabilities: "{}")
        }
        let revision = other.snapshot.machine.revision
        async let news = other.snapshot(after: revision, until: server.clock.now().adding(seconds: 60))
        _ = try await server.register("one", rank: 4, in: federation)
        guard case .registered(_, isNew: true) = try await other.perform(register("two")) else {
            Issue.record("two was not registered")
            return
        }
        #expect(await news?.machine.clients.count == 1, "who waits sees what the other has stored")
        var counts = reloads.stream.makeAsyncIterator()
        #expect(await counts.next() == 1)
        #expect(other.snapshot.machine.clients.count == 2)
        // And the first one, which knows nothing of the second's step.
        _ = try await server.register("three", rank: 4, in: federation)
        let names = try ["one", "three", "two"].map { try ClientName($0) }
        #expect(try server.snapshot(federation).clients.values.map(\.name).sorted() == names)
        #expect(try server.snapshot(federation).round?.number == 1)
        // Both at once, again and again: nobody is lost, and nobody is told that the store cannot be written.
        await withTaskGroup(of: Void.self) { group in
            for index in 0..<3 {
                group.addTask { await #expect(throws: Never.self) { try await other.perform(register("a\(index)")) } }
                group.addTask {
                    await #expect(throws: Never.self) {
                        try await server.register("b\(index)", rank: 4, in: federation)
                    }
                }
            }
        }
        let events = try await server.sqlite.events(after: 0, limit: 100, of: federation)
        #expect(events.count { $0.event.kind == "client.registered" } == 9)
        #expect(try server.sqlite.audit().findings.isEmpty)
    }
}
