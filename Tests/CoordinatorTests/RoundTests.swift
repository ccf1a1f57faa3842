import AdapterFormat
import Federation
import Foundation
import Testing

@testable import Coordinator

@Suite struct RoundTests {
    @Test func `a round of two ranks publishes their mean, row by row`() async throws {
        let server = try await TestServer()
        let federation = try await server.federation()
        let low = try await server.register("low", rank: 2, in: federation)
        let high = try await server.register("high", rank: 4, in: federation)
        try await server.aggregating {
            _ = try await server.send(
                try adapterFile(rank: 2, value: 1), of: low, round: 1, samples: 30, in: federation)
            _ = try await server.send(
                try adapterFile(rank: 4, value: 3), of: high, round: 1, samples: 10, in: federation)
            try await server.wait(forRound: 2, in: federation)
        }
        let file = try await server.services.adapters.file(round: 1, rank: nil, elementType: nil, of: federation)
        let adapter = try AdapterFile(try SafetensorsFile(path: file.path))
        let module = try #require(adapter[module: "fc1"])
        let factors = try #require(ModuleFactors(module))
        // alpha / r: the scale is 4 at rank 2 and 2 at rank 4, so B of rank 2 counts twice.
        #expect(factors.a[0..<6].allSatisfy { $0 == 1.5 })
        #expect(factors.a[18..<24].allSatisfy { $0 == 3 })
        #expect(factors.b[0..<5].allSatisfy { $0 == 0.75 * 2 + 0.25 * 3 })
        #expect(factors.b[15..<20].allSatisfy { $0 == 3 })
        let published = try await server.services.rounds.round(1, of: federation).round
        #expect(
            published.phase
                == .published(
                    PublishedAdapter(digest: file.digest, byteCount: file.byteCount, ranks: ["fc1": 4, "fc2": 8])))
        #expect(published.metrics == Metrics(loss: 0.5, accuracy: 0.75))
        #expect(try FileManager.default.contentsOfDirectory(atPath: server.folder.path + "/data/blobs").isEmpty)
    }

    @Test func `a lower rank downloads a prefix at its own scale`() async throws {
        let server = try await TestServer()
        let federation = try await server.federation(minimum: 1)
        let client = try await server.register("only", rank: 4, in: federation)
        try await server.aggregating {
            _ = try await server.send(try adapterFile(rank: 4, value: 3), of: client, round: 1, in: federation)
            try await server.wait(forRound: 2, in: federation)
        }
        let file = try await server.services.adapters.file(round: 1, rank: 1, elementType: "F16", of: federation)
        let adapter = try AdapterFile(try SafetensorsFile(path: file.path))
        #expect(adapter.ranks == ["fc1": 1, "fc2": 2])
        let module = try #require(adapter[module: "fc1"])
        #expect(module.a?.type == .f16)
        // Scale 2 at rank 4, 8 at rank 1.
        #expect(try #require(module.b).floats().allSatisfy { $0 == 0.75 })
        let text = try await server.services.adapters.configuration(round: 1, rank: 1, of: federation)
        #expect(try AdapterConfig(json: Array(text.utf8)).scale(of: "fc1") == 8)
    }

    @Test func `the same updates give the same bytes after a restart in the middle`() async throws {
        var digests: [ContentDigest] = []
        for restarts in [false, true] {
            let folder = try TemporaryFolder()
            var server = try await TestServer(folder: folder)
            let federation = try await server.federation()
            let one = try await server.register("one", rank: 1, in: federation)
            let two = try await server.register("two", rank: 4, in: federation)
            _ = try await server.send(
                try adapterFile(rank: 1, value: 0.1), of: one, round: 1, samples: 7, in: federation)
            if restarts {
                try server.close()
                server = try await TestServer(folder: folder, clock: server.clock)
                #expect(try server.snapshot(federation).round?.updates.keys.sorted() == [one])
            }
            let running = server
            try await running.aggregating {
                _ = try await running.send(
                    try adapterFile(rank: 4, value: 0.3), of: two, round: 1, samples: 3, in: federation)
                try await running.wait(forRound: 2, in: federation)
            }
            digests.append(
                try await running.services.adapters.file(round: 1, rank: nil, elementType: nil, of: federation).digest)
        }
        #expect(digests[0] == digests[1])
    }
}
