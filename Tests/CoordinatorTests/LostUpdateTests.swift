import Federation
import Foundation
import SQLiteStore
import Testing

@testable import Coordinator

@Suite struct LostUpdateTests {
    enum Damage: CaseIterable {
        case truncated, altered, gone
    }

    private func harm(_ path: String, _ damage: Damage) throws {
        switch damage {
        case .truncated: #expect(truncate(path, 100) == 0)
        case .altered:
            var bytes = try #require(FileManager.default.contents(atPath: path))
            bytes[bytes.count - 1] ^= 1
            try bytes.write(to: URL(fileURLWithPath: path))
        case .gone: try FileManager.default.removeItem(atPath: path)
        }
    }

    @Test(arguments: Damage.allCases)
    func `an update whose file was damaged is asked for again, and the adapter is as if nothing had happened`(
        _ damage: Damage
    ) async throws {
        var digests: [ContentDigest] = []
        for isHarmed in [false, true] {
            let server = try await TestServer()
            let federation = try await server.federation()
            let one = try await server.register("one", rank: 2, in: federation)
            let two = try await server.register("two", rank: 4, in: federation)
            let file = try adapterFile(rank: 2, value: 1)
            let receipt = try await server.send(file, of: one, round: 1, in: federation)
            if isHarmed { try harm(try #require(try server.sqlite.lend(receipt.update.digest)).path, damage) }
            let plan = try server.services.plans.plan(for: one, in: federation)
            #expect(plan.hasAnswered && !plan.isLost)
            try await server.aggregating {
                _ = try await server.send(try adapterFile(rank: 4, value: 3), of: two, round: 1, in: federation)
                if isHarmed {
                    try await server.wait(in: federation) { $0.round?.participations[one]?.state == .awaited }
                    let again = try server.services.plans.plan(for: one, in: federation)
                    #expect(!again.hasAnswered && again.isLost && again.phase == .collecting)
                    await #expect(throws: ServiceError.noUpdate(round: 1)) {
                        try await server.services.updates.receipt(for: one, round: 1, in: federation)
                    }
                    let update = try #require(try server.snapshot(federation).round?.updates[one])
                    guard case .lost = update.status else {
                        Issue.record("expected a lost update")
                        return
                    }
                    #expect(try await server.send(file, of: one, round: 1, in: federation).isNew)
                }
                try await server.wait(forRound: 2, in: federation)
            }
            let round = try await server.services.rounds.round(1, of: federation).round
            #expect(round.accepted.map(\.client) == [one, two])
            #expect(round.decisions.map(\.kind).contains("update.lost") == isHarmed)
            digests.append(
                try await server.services.adapters.file(round: 1, rank: nil, elementType: nil, of: federation).digest)
        }
        #expect(digests[0] == digests[1])
    }

    @Test func `a lost update stays on record over a restart, and its round goes on without it`() async throws {
        let folder = try TemporaryFolder()
        let server = try await TestServer(folder: folder)
        let federation = try await server.federation(minimum: 1)
        let one = try await server.register("one", rank: 2, in: federation)
        let two = try await server.register("two", rank: 4, in: federation)
        let receipt = try await server.send(try adapterFile(rank: 2, value: 1), of: one, round: 1, in: federation)
        _ = try await server.send(try adapterFile(rank: 4, value: 3), of: two, round: 1, in: federation)
        try harm(try #require(try server.sqlite.lend(receipt.update.digest)).path, .truncated)
        try await server.aggregating {
            await server.services.tick()
            try await server.wait(in: federation) { $0.round?.phase == .collecting }
        }
        try server.close()
        let again = try await TestServer(folder: folder, clock: server.clock)
        let round = try #require(try again.snapshot(federation).round)
        #expect(round.phase == .collecting && round.hasReopened)
        #expect(
            round.updates[one]?.status
                == .lost(reason: "its file has 100 bytes; the client sent \(receipt.update.byteCount)"))
        #expect(round.participations[one]?.state == .awaited)
        again.clock.advance(seconds: 61)
        try await again.aggregating {
            await again.services.tick()
            try await again.wait(forRound: 2, in: federation)
        }
        let closed = try await again.services.rounds.round(1, of: federation).round
        #expect(closed.accepted.map(\.client) == [two])
    }
}
