import Federation
import Testing

@testable import Coordinator

/// Which clients are asked to stay away.
struct PaceTests {
    @Test func `only clients that a large federation does not await are sent away, each for a time of its own`()
        async throws
    {
        let server = try await TestServer()
        let federation = try await server.federation { settings in
            settings.limits.clients = 10_000
            (settings.policy.selection, settings.policy.seenSeconds) = (.count(2), 7200)
            settings.policy.deadlineSeconds = 7200
        }
        let few = try await server.register("few", rank: 4, in: federation)
        #expect(try server.services.plans.plan(for: few, in: federation).comeBackSeconds == nil)
        let session = try server.services.runtime.session(federation)
        // All at once, so that they share their steps.
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<5500 {
                group.addTask {
                    _ = try await session.perform(
                        .register(
                            name: ClientName("many-\(index)"), rank: 4, token: Access.hash("\(index)"),
                            capabilities: .none)
                    ).get()
                }
            }
            try await group.waitForAll()
        }
        let machine = try server.snapshot(federation)
        let awaited = try #require(machine.round).clients(in: .awaited)
        #expect(awaited.count == 2)
        for name in awaited {
            #expect(try server.services.plans.plan(for: name, in: federation).comeBackSeconds == nil)
        }
        let others = machine.clients.keys.filter { !awaited.contains($0) }.prefix(500)
        let times = try others.map { try server.services.plans.plan(for: $0, in: federation).comeBackSeconds }
        #expect(times.allSatisfy { $0.map { (13...28).contains($0) } ?? false })
        #expect(Set(times).count > 10)
    }
}
