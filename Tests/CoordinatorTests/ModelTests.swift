import AdapterFormat
import Aggregation
import Federation
import Foundation
import SQLiteStore
import Testing

@testable import Coordinator

/// Merges and models where rounds fail in between.
@Suite struct ModelTests {
    @Test func `a round that failed adds nothing, and plans name what was really published`() async throws {
        let server = try await TestServer()
        let id = try await server.federation(rounds: 4, minimum: 1, missed: .abandon, strategy: .init(name: "flora"))
        let client = try await server.register("only", rank: 2, in: id)
        @Sendable func train(_ round: Int) async throws {
            let file = try adapterFile(rank: 2, value: Float(round))
            _ = try await server.send(file, of: client, round: round, in: id)
            try await server.wait(forRound: round + 1, in: id)
        }
        try await server.aggregating {
            try await train(1)
            server.clock.advance(seconds: 61)
            await server.services.tick()
            try await server.wait(forRound: 3, in: id)
            let plan = try server.services.plans.plan(for: client, in: id)
            #expect(plan.round == 3 && plan.adapterRound == 1)
            #expect(plan.demand.drawnRound == 1)
            try await train(3)
        }
        let models = server.services.models
        await #expect(throws: ServiceError.noAdapter(round: 2)) {
            try await models.merge(round: 2, since: nil, elementType: nil, of: id)
        }
        func merge(_ round: Int, since: Int?) async throws -> ModuleFactors {
            let file = try await models.merge(round: round, since: since, elementType: nil, of: id)
            let module = try AdapterFile(try SafetensorsFile(path: file.path))[module: "fc1"]
            return try #require(module.flatMap(ModuleFactors.init))
        }
        // Scale 8 / 2, factors of ones and of threes.
        let both = try await merge(3, since: 0)
        #expect(both.rank == 4)
        #expect(both.a == [Float](repeating: 1, count: 12) + [Float](repeating: 3, count: 12))
        #expect(both.b == [Float](repeating: 4, count: 10) + [Float](repeating: 12, count: 10))
        let last = try await merge(3, since: 1)
        #expect(last.a == [Float](repeating: 3, count: 12))
        #expect(try await merge(3, since: 2) == last)
        #expect(try await merge(3, since: nil) == last)
    }

    @Test func `a sparse stage whose last round failed ends with a later one`() async throws {
        let server = try await TestServer()
        let strategy = FederationSettings.Strategy(
            name: "slora", parameters: ["sparse_rounds": .number(2), "density": .number(0.5)])
        let id = try await server.federation(rounds: 4, minimum: 1, missed: .abandon, strategy: strategy)
        let client = try await server.register("only", rank: 4, in: id)
        let sparse = try sparseFile(values: ["fc1": 15, "fc2": 7])
        @Sendable func demand(_ round: Int) throws -> ClientDemand {
            let plan = try server.services.plans.plan(for: client, in: id)
            #expect(plan.round == round)
            return plan.demand
        }
        try await server.aggregating {
            #expect(try demand(1).sparse != nil)
            _ = try await server.send(sparse, of: client, round: 1, in: id)
            try await server.wait(forRound: 2, in: id)
            server.clock.advance(seconds: 61)
            await server.services.tick()
            try await server.wait(forRound: 3, in: id)
            #expect(try demand(3).sparse != nil)
            await #expect(throws: ServiceError.self) {
                try await server.send(adapterFile(rank: 4, value: 1), of: client, round: 3, in: id)
            }
            _ = try await server.send(sparse, of: client, round: 3, in: id)
            try await server.wait(forRound: 4, in: id)
            #expect(try demand(4).sparse == nil)
            _ = try await server.send(adapterFile(rank: 4, value: 1), of: client, round: 4, in: id)
            try await server.wait(in: id) { $0.state == .finished }
        }
        #expect(try server.snapshot(id).publishedRound == 4)
        let file = try await server.services.adapters.file(round: 3, rank: nil, elementType: nil, of: id)
        #expect(try AdapterFile(try SafetensorsFile(path: file.path)).modules.count == 2)
    }

    /// What a client sends in a sparse stage: so many ones for every module.
    private func sparseFile(values: [String: Int]) throws -> [UInt8] {
        let layout = try SafetensorsLayout(
            tensors: values.map {
                .init(name: "base_model.model.\($0.key).sparse_delta", type: .f32, shape: [$0.value])
            })
        let folder = try TemporaryFolder()
        let path = folder.path + "/delta"
        let descriptor = open(path, O_RDWR | O_CREAT, 0o600)
        defer { close(descriptor) }
        var writer = try SafetensorsWriter(layout: layout, descriptor: descriptor)
        for (name, count) in values {
            try writer.write([Float](repeating: 1, count: count), to: "base_model.model.\(name).sparse_delta")
        }
        try writer.finish()
        return Array(try #require(FileManager.default.contents(atPath: path)))
    }

    @Test func `what a round wrote that turns out to miss its updates is deleted`() async throws {
        let server = try await TestServer()
        let id = try await server.federation(strategy: .init(name: "flora"))
        let clients = try await [
            server.register("one", rank: 2, in: id), server.register("two", rank: 2, in: id),
        ]
        // As an aggregation leaves it that was cut off.
        let merge = AdapterAddress(federation: id, round: 1, slot: .merge)
        let tensor = AdapterTensor(name: "fc1", kind: .a)
        try server.sqlite.append(
            [AdapterPart(tensor: tensor, firstRow: 0, rowCount: 1, values: [0, 0, 0, 0, 0, 0])], to: merge)
        for client in clients {
            _ = try await server.send(try adapterFile(rank: 2, value: 1), of: client, round: 1, in: id)
        }
        let blobs = server.folder.path + "/data/blobs/"
        for name in try FileManager.default.contentsOfDirectory(atPath: blobs) {
            try Data("damaged".utf8).write(to: URL(fileURLWithPath: blobs + name))
        }
        try await server.aggregating {
            await server.services.tick()
            while try server.sqlite.rowCount(of: tensor, at: merge) > 0 {
                try Task.checkCancellation()
                await Task.yield()
            }
        }
        let round = try #require(try await server.sqlite.round(1, of: id))
        #expect(round.phase == .collecting)
        #expect(round.acceptedCount == 0)
    }
}
