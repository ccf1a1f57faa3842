import Federation
import Foundation
import Testing

@testable import Coordinator

@Suite struct WaitingTests {
    @Test func `a long poll hears of a change and a client's plan only of its own`() async throws {
        let server = try await TestServer()
        let federation = try await server.federation(minimum: 2)
        let one = try await server.register("one", rank: 1, in: federation)
        let two = try await server.register("two", rank: 1, in: federation)
        let plan = try server.services.plans.plan(for: one, in: federation)
        let status = try server.snapshot(federation).revision
        async let heard = server.services.rounds.current(of: federation, after: status, waiting: 60)
        _ = try await server.send(try adapterFile(rank: 1, value: 1), of: two, round: 1, in: federation)
        #expect(try await heard?.machine.round?.updates.count == 1)
        #expect(try server.services.plans.plan(for: one, in: federation).revision == plan.revision)
        let other = try server.services.plans.plan(for: two, in: federation)
        #expect(other.revision > plan.revision && other.hasAnswered)
    }

    @Test func `a long poll ends empty when its time is up or its task is cancelled`() async throws {
        let server = try await TestServer()
        let federation = try await server.federation()
        let revision = try server.snapshot(federation).revision
        let session = try server.services.parts.registry.session(federation)
        async let expired = server.services.rounds.current(of: federation, after: revision, waiting: 5)
        while session.watchers.isEmpty { await Task.yield() }
        server.clock.advance(seconds: 6)
        await server.services.tick()
        #expect(try await expired == nil)
        let waiting = Task { try await server.services.rounds.current(of: federation, after: revision, waiting: 60) }
        waiting.cancel()
        #expect(try await waiting.value == nil)
    }

    @Test func `a deadline closes the round with those who answered`() async throws {
        let server = try await TestServer()
        let federation = try await server.federation(minimum: 1)
        let one = try await server.register("one", rank: 1, in: federation)
        _ = try await server.register("two", rank: 1, in: federation)
        try await server.aggregating {
            _ = try await server.send(try adapterFile(rank: 1, value: 1), of: one, round: 1, in: federation)
            await server.services.tick()
            #expect(try server.snapshot(federation).round?.phase == .collecting)
            server.clock.advance(seconds: 61)
            await server.services.tick()
            try await server.wait(forRound: 2, in: federation)
        }
        #expect(try await server.services.rounds.round(1, of: federation).round.updates.count == 1)
    }

    @Test func `a selection can be replayed`() throws {
        let clients = try (0..<20).map { try ClientName("edge-\($0)") }.sorted()
        let sampler = HashedSampler()
        let first = sampler.sample(5, of: clients, seed: 7, round: 3)
        #expect(first == sampler.sample(5, of: clients.reversed(), seed: 7, round: 3))
        #expect(Set((1...30).map { sampler.sample(5, of: clients, seed: 7, round: $0) }).count > 20)
        #expect(first.count == 5 && first == first.sorted())
    }
}
