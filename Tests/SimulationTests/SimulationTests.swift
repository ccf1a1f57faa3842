import Foundation
import RankwiseWire
import Testing
import Training
import TrainingData

@testable import Simulation

extension RoundRecord {
    /// Without the time, which no two runs share.
    fileprivate var timeless: RoundRecord {
        var record = self
        record.seconds = 0
        return record
    }
}

@Suite struct SimulationTests {
    private let small: SmallFederation

    init() throws { small = try SmallFederation() }

    @Test(arguments: ["rbla", "zeropad", "flora", "flexlora", "raflora", "rolora", "ffa", "rac-lora"])
    func `a federation in memory learns under every strategy`(strategy: String) async throws {
        let records = try await small.play(small.document(strategy: strategy, rounds: 4), at: "run")
        #expect(records.map(\.round) == [1, 2, 3, 4])
        #expect(records.allSatisfy { $0.clients == 4 && $0.bytesDown > 0 && $0.bytesUp > 0 })
        #expect((records.last?.testAccuracy ?? 0) >= 0.9)
    }

    @Test(arguments: ["trimmed", "median", "krum", "geometric-median", "clip"])
    func `a federation in memory learns under every robust rule`(rule: String) async throws {
        var document = small.document(rounds: 4)
        document.federation.robust = .init(rule: rule, parameters: rule == "krum" ? ["byzantine": .integer(0)] : [:])
        document.federation.round.minUpdates = 4
        let records = try await small.play(document, at: "run")
        #expect((records.last?.testAccuracy ?? 0) >= 0.9)
        document.federation.strategy = .init(name: "flora")
        await #expect(throws: SimulationError.self) { try await small.play(document, at: "refused") }
    }

    @Test(arguments: [nil, 8])
    func `ranking weights rest on the validation examples, not on what clients say`(messageBits: Int?) async throws {
        var scored = small.document(rounds: 2, messageBits: messageBits)
        scored.federation.strategy = .init(name: "rbla", weighting: "ranking", parameters: ["norm_share": .number(0)])
        scored.simulation.data.validation = 0.4
        // The same clients with the same examples, whose word is taken.
        let lines = try String(contentsOfFile: small.train, encoding: .utf8).split(separator: "\n")
        let labels = lines.map { $0.hasSuffix("1") ? 1 : 0 }
        let kept = try Partition.holdOut(0.4, of: labels, seed: scored.federation.seed).0.map { lines[$0] }
        var believed = scored
        believed.simulation.data.validation = nil
        believed.simulation.data.train = small.folder + "/kept.csv"
        try (kept.joined(separator: "\n") + "\n")
            .write(toFile: believed.simulation.data.train, atomically: true, encoding: .utf8)
        let cohorts = (try SimulatedCohort(scored), try SimulatedCohort(believed))
        #expect(cohorts.0.clients.map(\.task.count) == cohorts.1.clients.map(\.task.count))
        #expect(cohorts.0.validation?.count == lines.count - kept.count && cohorts.1.validation == nil)
        let records = try await small.play(scored, at: "scored")
        #expect(try await small.play(believed, at: "believed")[0].trainLoss == records[0].trainLoss)
        let adapters = ["scored", "believed"].map {
            FileManager.default.contents(atPath: "\(small.folder)/\($0)/state-2/adapter.safetensors")
        }
        #expect(adapters[0] != nil && adapters[0] != adapters[1])
    }

    @Test(
        arguments: [
            ("rbla", "samples", .memory), ("ffa", "ranking", .memory), ("rolora", "ranking", .memory),
            ("full", "samples", .memory), ("rbla", "ranking", .http),
        ] as [(String, String, SimulationRun.Transport)])
    func `validation examples that could weigh nothing are refused`(
        strategy: String, weighting: String, transport: SimulationRun.Transport
    ) async throws {
        var document = small.document(rounds: 1)
        document.federation.strategy = .init(name: strategy, weighting: weighting)
        document.simulation.data.validation = 0.4
        let changed = document
        let error = await #expect(throws: SimulationError.self) {
            try await small.play(changed, at: "run", transport: transport)
        }
        guard case .settings("simulation.data.validation", _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test func `a run that was stopped goes on to the same numbers and bytes`() async throws {
        let document = small.document(strategy: "flora", rounds: 4, fraction: 0.5)
        let whole = try await small.play(document, at: "whole")
        var half = document
        half.federation.round.total = 2
        _ = try await small.play(half, at: "stopped")
        let rest = try await small.play(document, at: "stopped")
        #expect(rest.map(\.timeless) == whole.map(\.timeless))
        for name in ["adapter.safetensors", "merges.safetensors"] {
            let bytes = ["whole", "stopped"].map {
                FileManager.default.contents(atPath: "\(small.folder)/\($0)/state-4/\(name)")
            }
            #expect(bytes[0] != nil && bytes[0] == bytes[1])
        }
    }

    @Test func `a server optimizer's moments survive a stop`() async throws {
        let document = small.document(rounds: 3, server: .init(optimizer: "momentum", learningRate: 0.5))
        let whole = try await small.play(document, at: "whole")
        var half = document
        half.federation.round.total = 1
        _ = try await small.play(half, at: "stopped")
        #expect(try await small.play(document, at: "stopped").map(\.timeless) == whole.map(\.timeless))
    }

    @Test func `a state that was cut off before its row is played again`() async throws {
        let document = small.document(rounds: 2)
        let whole = try await small.play(document, at: "run")
        let folder = small.folder + "/run"
        let table = try String(contentsOfFile: folder + "/rounds.csv", encoding: .utf8)
        var first = document
        first.federation.round.total = 1
        _ = try await small.play(first, at: "first")
        for name in ["rounds.csv", "state-1"] {
            try? FileManager.default.removeItem(atPath: folder + "/" + name)
            try FileManager.default.copyItem(atPath: small.folder + "/first/" + name, toPath: folder + "/" + name)
        }
        #expect(try await small.play(document, at: "run").map(\.timeless) == whole.map(\.timeless))
        #expect(table.split(separator: "\n").count == 3)
        #expect(!FileManager.default.fileExists(atPath: folder + "/state-1"))
    }

    @Test func `a folder with a run of other settings is refused`() async throws {
        _ = try await small.play(small.document(), at: "run")
        await #expect(throws: SimulationError.otherRun(folder: small.folder + "/run")) {
            try await small.play(small.document(strategy: "zeropad"), at: "run")
        }
    }

    @Test func `quantised messages are shorter and still learned from`() async throws {
        let plain = try await small.play(small.document(), at: "plain")
        let short = try await small.play(small.document(messageBits: 8), at: "short")
        #expect(short.map(\.testAccuracy).max() ?? 0 >= 0.9)
        #expect(short != plain)
    }

    @Test(arguments: ["rbla", "flora", "flexlora"])
    func `the server over loopback publishes what memory comes to`(strategy: String) async throws {
        let document = small.document(strategy: strategy, rounds: 3)
        let memory = try await small.play(document, at: "memory")
        let http = try await small.play(document, at: "http", transport: .http)
        #expect(http.map(\.round) == [1, 2, 3])
        for (one, other) in zip(memory, http) {
            #expect(one.clients == other.clients)
            #expect(one.trainLoss.isNear(other.trainLoss))
            #expect(one.testLoss.isNear(other.testLoss))
            #expect(one.testAccuracy == other.testAccuracy)
        }
    }

    @Test func `clients over loopback may be drawn`() async throws {
        let document = small.document(clients: 6, rounds: 2, scheme: .draw, examples: 4, fraction: 0.5)
        let memory = try await small.play(document, at: "memory")
        let http = try await small.play(document, at: "http", transport: .http)
        #expect(http.map(\.clients) == [3, 3])
        #expect(zip(memory, http).allSatisfy { $0.testLoss.isNear($1.testLoss) })
    }

    @Test func `clients evaluate over loopback, and in memory that is refused`() async throws {
        var document = small.document(rounds: 2)
        let plain = try await small.play(document, at: "plain", transport: .http)
        document.federation.evaluation = .init(holdout: 0.3)
        let evaluated = try await small.play(document, at: "http", transport: .http)
        #expect(evaluated.map(\.round) == [1, 2])
        // What is held out is not trained on.
        #expect(evaluated[0].trainLoss != plain[0].trainLoss)
        let error = await #expect(throws: SimulationError.self) { try await small.play(document, at: "memory") }
        #expect("\(try #require(error))".contains("evaluation"))
        document.federation.evaluation = .init(best: .init(metric: "loss", mode: "min"), patience: 1)
        await #expect(throws: SimulationError.self) {
            try await small.play(document, at: "patient", transport: .http)
        }
    }

    @Test(arguments: ["hetlora", "fdlora", "slora"])
    func `what needs clients with a memory is refused in memory`(strategy: String) async throws {
        await #expect(throws: SimulationError.self) {
            try await small.play(small.document(strategy: strategy), at: "run")
        }
    }
}

extension Double {
    /// To what two ways of storing the same numbers may differ by.
    fileprivate func isNear(_ other: Double) -> Bool { abs(self - other) <= 1e-5 * max(1, abs(other)) }
}
