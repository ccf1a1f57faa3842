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
            stored, metadata: server.sqlite, presence: server.sqlite.presence(of: federation), clock: server.clock,
            sampler: HashedSampler(),
            observers: .init(
                aggregationDue: { _ in }, event: { _, _ in },
                reloaded: { reloads.continuation.yield($1.clients.count) }))
        func register(
            _ name: String
        ) throws -> FederationMachine.Event<FederationMachine.Registration, RegistrationError> {
            .register(
                name: try ClientName(name), rank: 2, token: Access.hash("the token of \(name)"),
                capabilities: .none)
        }
        let revision = other.snapshot.machine.revision
        async let news = other.snapshot(after: revision, until: server.clock.now().adding(seconds: 60))
        _ = try await server.register("one", rank: 4, in: federation)
        #expect(try await other.perform(register("two")).get().isNew)
        #expect(await news?.machine.clients.count == 2, "who waits sees what is stored")
        var counts = reloads.stream.makeAsyncIterator()
        #expect(await counts.next() == 2)
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

    @Test func `a server that follows shows what another one has stored`() async throws {
        let server = try await TestServer()
        let federation = try await server.federation(minimum: 3)
        let copy = try server.snapshot(federation)
        try await server.aggregating {
            var changed = copy.settings.policy
            changed.deadlineSeconds = 7
            let policy = changed
            async let news = server.services.rounds.current(of: federation, after: copy.revision, waiting: 60)
            // Until the follower listens, it hears nothing: a step a time, as another server would take them.
            while try server.snapshot(federation).revision == copy.revision {
                try await server.sqlite.step(on: copy) { basis in
                    var next = basis
                    let context = FederationMachine.Context(
                        now: server.clock.now(), seen: [:], sampler: HashedSampler())
                    let changes = next.apply(.setPolicy(policy), in: context).changes
                    return (FederationStep(machine: next, changes: changes), ())
                }
                await Task.yield()
            }
            #expect(try await news?.machine.settings.policy.deadlineSeconds == 7)
        }
    }
}
