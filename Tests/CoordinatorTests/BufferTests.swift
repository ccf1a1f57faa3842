import AdapterFormat
import Federation
import Testing

@testable import Coordinator

@Suite struct BufferTests {
    private func start(_ size: Int = 2, staleness: Int = 10) async throws -> (TestServer, FederationID, [ClientName]) {
        let server = try await TestServer()
        let federation = try await server.federation(rounds: 20, minimum: 1) {
            $0.policy.buffer = .init(size: size, stalenessExponent: 0.5, maximumStaleness: staleness)
            $0.adapter.scaling = .constant(1)
        }
        var clients: [ClientName] = []
        for name in ["a", "b", "c"] { clients.append(try await server.register(name, rank: 4, in: federation)) }
        return (server, federation, clients)
    }

    private func factorA(_ round: Int, of server: TestServer, _ federation: FederationID) async throws -> Float {
        let file = try await server.services.adapters.file(round: round, rank: nil, elementType: nil, of: federation)
        let adapter = try AdapterFile(try SafetensorsFile(path: file.path))
        let module = try #require(adapter[module: "fc1"])
        return try #require(ModuleFactors(module)).a[0]
    }

    @Test func `an old update is discounted by its age`() async throws {
        let (server, federation, clients) = try await start()
        #expect(try server.services.plans.plan(for: clients[2], in: federation).isSelected)
        try await server.aggregating {
            for round in 1...3 {
                for client in clients[..<2] {
                    _ = try await server.send(
                        try adapterFile(rank: 4, value: 1), of: client, round: round, in: federation)
                }
                try await server.wait(forRound: round + 1, in: federation)
            }
            // Three versions old: the discount is 1/√4.
            _ = try await server.send(try adapterFile(rank: 4, value: 7), of: clients[2], round: 1, in: federation)
            #expect(try server.services.plans.plan(for: clients[2], in: federation).hasAnswered)
            _ = try await server.send(try adapterFile(rank: 4, value: 1), of: clients[0], round: 4, in: federation)
            try await server.wait(forRound: 5, in: federation)
        }
        #expect(abs(try await factorA(4, of: server, federation) - 3) < 1e-6)
        let plan = try server.services.plans.plan(for: clients[2], in: federation)
        #expect(plan.round == 5 && plan.isSelected && !plan.hasAnswered && plan.adapterRound == 4)
    }

    @Test func `a resent update gets its receipt, whichever round it counted in`() async throws {
        let (server, federation, clients) = try await start()
        let file = try adapterFile(rank: 4, value: 7)
        try await server.aggregating {
            for client in clients[..<2] {
                _ = try await server.send(try adapterFile(rank: 4, value: 1), of: client, round: 1, in: federation)
            }
            try await server.wait(forRound: 2, in: federation)
            #expect(try await server.send(file, of: clients[2], round: 1, in: federation).isNew)
            let early = try await server.send(file, of: clients[2], round: 1, in: federation)
            #expect(!early.isNew)
            _ = try await server.send(file, of: clients[0], round: 2, in: federation)
            try await server.wait(forRound: 3, in: federation)
        }
        let again = try await server.send(file, of: clients[2], round: 1, in: federation)
        #expect(!again.isNew && again.update.began == 1)
        await #expect(throws: ServiceError.round(.updateExists(round: 1))) {
            try await server.send(try adapterFile(rank: 4, value: 8), of: clients[2], round: 1, in: federation)
        }
    }

    @Test func `an update that comes while the buffer is added up waits for the next one`() async throws {
        let (server, federation, clients) = try await start()
        for client in clients[..<2] {
            _ = try await server.send(try adapterFile(rank: 4, value: 1), of: client, round: 1, in: federation)
        }
        #expect(try server.snapshot(federation).round?.phase == .aggregating)
        let session = try server.services.runtime.session(federation)
        let received = try await withThrowingTaskGroup(of: Int.self) { group in
            group.addTask {
                let file = try adapterFile(rank: 4, value: 7)
                return try await server.send(file, of: clients[2], round: 1, in: federation).received
            }
            while session.watchers.isEmpty { await Task.yield() }
            #expect(try server.snapshot(federation).round?.phase == .aggregating)
            try await server.aggregating {
                await server.services.tick()
                try await server.wait(forRound: 2, in: federation)
            }
            return try await group.next()
        }
        #expect(received == 1)
        #expect(try server.snapshot(federation).round?.number == 2)
        #expect(try server.snapshot(federation).round?.updates[clients[2]]?.began == 1)
    }

    @Test(arguments: ["flora", "fedex", "rolora", "ffa", "rac-lora", "sa-fedlora", "slora"])
    func `strategies whose rounds differ take no buffer`(_ name: String) async throws {
        let server = try await TestServer()
        let error = await #expect(throws: ServiceError.self) {
            try await server.federation(minimum: 1) {
                $0.strategy = .init(name: name)
                $0.policy.buffer = .init(size: 2, stalenessExponent: 0.5, maximumStaleness: 10)
            }
        }
        guard case .settings(let refusal) = error else {
            Issue.record("expected a refusal, not \(String(describing: error))")
            return
        }
        #expect(refusal.path == "round.buffer" && refusal.reason.contains(name))
    }

    @Test(arguments: ["sa-fedlora", "slora"])
    func `strategies whose shape changes take no coverage, at creation or later`(_ name: String) async throws {
        let server = try await TestServer()
        await #expect(throws: ServiceError.self) {
            try await server.federation(minimum: 1) {
                $0.strategy = .init(name: name)
                $0.policy.minimumCoverage = 1
            }
        }
        let federation = try await server.federation(minimum: 1) { $0.strategy = .init(name: name) }
        var policy = try server.snapshot(federation).settings.policy
        policy.minimumCoverage = 1
        await #expect(throws: ServiceError.self) {
            try await server.services.federations.setPolicy(policy, of: federation)
        }
    }
}
