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
        let session = try server.services.runtime.session(federation)
        async let expired = server.services.rounds.current(of: federation, after: revision, waiting: 5)
        while session.watchers.isEmpty { await Task.yield() }
        server.clock.advance(seconds: 6)
        await server.services.tick()
        #expect(try await expired == nil)
        let waiting = Task { try await server.services.rounds.current(of: federation, after: revision, waiting: 60) }
        waiting.cancel()
        #expect(try await waiting.value == nil)
    }

    @Test func `of many who wait for one change all hear of it, those whose time is up too`() async throws {
        let server = try await TestServer()
        let federation = try await server.federation(minimum: 2)
        let one = try await server.register("one", rank: 1, in: federation)
        _ = try await server.register("two", rank: 1, in: federation)
        let status = try server.snapshot(federation).revision
        let session = try server.services.runtime.session(federation)
        let rounds = server.services.rounds
        try await withThrowingTaskGroup(of: Int64?.self) { group in
            for seconds in [60.0, 5] {
                for _ in 0..<100 {
                    group.addTask {
                        try await rounds.current(of: federation, after: status, waiting: seconds)?.machine.revision
                    }
                }
            }
            while session.watchers.count < 200 { await Task.yield() }
            server.clock.advance(seconds: 6)
            await server.services.tick()
            _ = try await server.send(try adapterFile(rank: 1, value: 1), of: one, round: 1, in: federation)
            let heard = try await group.reduce(into: []) { $0.append($1) }
            #expect(heard.count { $0 == nil } == 100)
            #expect(heard.count { ($0 ?? 0) > status } == 100)
        }
        #expect(session.watchers.isEmpty)
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
        let candidates = try (0..<20).map { Candidate(client: try ClientName("edge-\($0)"), value: 1 + $0) }
        let sampler = HashedSampler()
        for preference in [RoundPolicy.Preference.uniform, .samples] {
            let first = sampler.sample(5, of: candidates, by: preference, seed: 7, round: 3)
            #expect(first == sampler.sample(5, of: candidates.reversed(), by: preference, seed: 7, round: 3))
            let draws = (1...30).map { sampler.sample(5, of: candidates, by: preference, seed: 7, round: $0) }
            #expect(Set(draws).count > 20)
            #expect(first.count == 5 && first == first.sorted())
        }
    }

    @Test func `clients with more samples are drawn more often, in proportion`() throws {
        let small = try (0..<10).map { Candidate(client: try ClientName("small-\($0)"), value: 100) }
        let large = Candidate(client: try ClientName("large"), value: 1000)
        let draws = (1...2000).map {
            HashedSampler().sample(1, of: small + [large], by: .samples, seed: 7, round: $0)[0]
        }
        #expect((900...1100).contains(draws.count { $0 == large.client }))
    }

    @Test func `those whose last selection is longest ago are drawn first, by lot among equals`() throws {
        let old = try (0..<10).map { Candidate(client: try ClientName("old-\($0)"), value: 3) }
        let never = Candidate(client: try ClientName("never"), value: 0)
        let recent = try (0..<10).map { Candidate(client: try ClientName("recent-\($0)"), value: 4) }
        let draws = (1...30).map {
            HashedSampler().sample(4, of: recent + old + [never], by: .leastRecent, seed: 7, round: $0)
        }
        for draw in draws { #expect(draw.contains(never.client) && !draw.contains { $0.rawValue.hasPrefix("recent") }) }
        #expect(Set(draws).count > 10)
    }
}
