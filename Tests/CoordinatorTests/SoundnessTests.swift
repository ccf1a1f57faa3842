import Federation
import Testing

@testable import Coordinator

@Suite struct SoundnessTests {
    // Rank 2 of lora alpha 8: the scale is 4, and every element of B·A is 2·v². fc1 is 5×6; fc2, of rank 4 at scale 2,
    // is 3×5 with elements 4·v². ‖·‖² = 30·(4·2·v²)² + 15·(2·4·v²)² = 45·64·v⁴.
    private func norm(_ value: Double) -> Double { (45.0 * 64).squareRoot() * value * value }

    @Test func `an update above the limit is refused with its norm`() async throws {
        let server = try await TestServer()
        let federation = try await server.federation { $0.limits.norm = 60 }
        let edge = try await server.register("edge", rank: 2, in: federation)
        _ = try await server.register("other", rank: 2, in: federation)
        let taken = try await server.send(try adapterFile(rank: 2, value: 1), of: edge, round: 1, in: federation)
        #expect(abs(try #require(taken.update.norm) - norm(1)) < 1e-3)
        let other = try ClientName("other")
        let error = await #expect(throws: ServiceError.self) {
            try await server.send(try adapterFile(rank: 2, value: 2), of: other, round: 1, in: federation)
        }
        guard case .update(let refusal) = error else {
            Issue.record("expected a refusal, not \(String(describing: error))")
            return
        }
        #expect(refusal.code == "update.norm")
        #expect(refusal.detail.hasPrefix("the update's norm is 214.6"))
        #expect(refusal.detail.hasSuffix("; this federation takes at most 60.0"))
    }

    @Test func `a norm is kept with its update, and the cohort's test counts it`() async throws {
        let folder = try TemporaryFolder()
        var server = try await TestServer(folder: folder)
        let federation = try await server.federation(minimum: 3) { $0.limits.normOverMedian = 3 }
        var clients: [ClientName] = []
        for name in ["a", "b", "c"] { clients.append(try await server.register(name, rank: 2, in: federation)) }
        _ = try await server.send(try adapterFile(rank: 2, value: 2), of: clients[0], round: 1, in: federation)
        try server.close()
        server = try await TestServer(folder: folder, clock: server.clock)
        let (again, last) = (server, clients)
        #expect(abs(try #require(try again.snapshot(federation).round?.updates[last[0]]?.norm) - norm(2)) < 1e-2)
        try await again.aggregating {
            for client in last.dropFirst() {
                _ = try await again.send(try adapterFile(rank: 2, value: 1), of: client, round: 1, in: federation)
            }
            try await again.wait(forRound: 2, in: federation)
        }
        let round = try await again.services.rounds.round(1, of: federation).round
        #expect(round.accepted.map(\.client) == [last[1], last[2]])
        #expect(round.decisions.map(\.kind).contains("update.left_out"))
        guard case .leftOut(let reason) = round.updates[last[0]]?.status else {
            Issue.record("expected it to be left out")
            return
        }
        #expect(reason.contains("is above 3.0 times the median of the round's updates"))
    }

    @Test func `without limits nothing is measured`() async throws {
        let server = try await TestServer()
        let federation = try await server.federation()
        let edge = try await server.register("edge", rank: 2, in: federation)
        _ = try await server.register("other", rank: 2, in: federation)
        let taken = try await server.send(try adapterFile(rank: 2, value: 1), of: edge, round: 1, in: federation)
        #expect(taken.update.norm == nil)
    }

    @Test func `the ranks of a mixed update are on record`() async throws {
        let server = try await TestServer()
        let federation = try await server.federation { $0.policy.minimumCoverage = 1 }
        let edge = try await server.register("edge", rank: 4, in: federation)
        let other = try await server.register("other", rank: 4, in: federation)
        let mixed = try await server.send(
            try adapterFile(rank: 4, value: 1, fc2Rank: 3), of: edge, round: 1, in: federation)
        #expect(mixed.update.ranks == ["fc1": 4, "fc2": 3])
        #expect(
            try server.snapshot(federation).round?.coverage(in: try server.snapshot(federation).settings.adapter) == 0)
        let full = try await server.send(try adapterFile(rank: 4, value: 1), of: other, round: 1, in: federation)
        #expect(full.update.ranks == nil)
        #expect(try server.snapshot(federation).round?.phase == .aggregating)
    }

    @Test func `a client says which base model it trains, or its updates are refused`() async throws {
        let base = try #require(ContentDigest(hex: String(repeating: "ab", count: 32)))
        let wrong = String(repeating: "cd", count: 32)
        let server = try await TestServer()
        let federation = try await server.federation { $0.baseModel.sha256 = base }
        await #expect(throws: ServiceError.registration(.otherBase(expected: base, found: wrong))) {
            try await server.register(
                "edge", rank: 2, capabilities: #"{"base_sha256":"\#(wrong)"}"#, in: federation)
        }
        let edge = try await server.register("edge", rank: 2, in: federation)
        _ = try await server.register("other", rank: 2, in: federation)
        let file = try adapterFile(rank: 2, value: 1)
        let error = await #expect(throws: ServiceError.self) {
            try await server.send(file, of: edge, round: 1, in: federation)
        }
        guard case .update(let refusal) = error else {
            Issue.record("expected a refusal, not \(String(describing: error))")
            return
        }
        #expect(refusal.code == "update.base" && refusal.detail.contains(base.hex))
        _ = try await server.register("edge", rank: 2, capabilities: #"{"base_sha256":"\#(base.hex)"}"#, in: federation)
        #expect(try await server.send(file, of: edge, round: 1, in: federation).isNew)
    }
}
