import Foundation
import RankwiseWire
import Testing
import Training
import TrainingData

@testable import Simulation

@Suite struct FullFederationTests {
    private let small: SmallFederation

    init() throws { small = try SmallFederation() }

    /// A convolutional net on one line of pixels would be too small for a pool, so images are 2 × 2, the last pixel dark.
    private func convolutional(strategy: String, rounds: Int) throws -> SimulationDocument {
        var document = small.document(strategy: strategy, rounds: rounds)
        for (path, name) in [(small.train, "train4.csv"), (small.test, "test4.csv")] {
            let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map { line in
                let fields = line.split(separator: ",")
                return (fields.dropLast() + ["0"] + fields.suffix(1)).joined(separator: ",") + "\n"
            }
            try lines.joined().write(toFile: small.folder + "/" + name, atomically: true, encoding: .utf8)
        }
        document.simulation.data = .init(train: small.folder + "/train4.csv", test: small.folder + "/test4.csv")
        document.federation.baseModel.name = "cnn-2x2x1-4k3-2"
        document.federation.adapter.modules = [
            "conv1": .init(inputs: 1, outputs: 4, kernel: [3, 3]), "fc1": .init(inputs: 4, outputs: 2, maxRank: 2),
        ]
        return document
    }

    @Test func `whole models are trained, sent both ways, and learned from`() async throws {
        let records = try await small.play(small.document(strategy: "full", rounds: 4), at: "run")
        #expect(records.map(\.round) == [1, 2, 3, 4])
        #expect((records.last?.testAccuracy ?? 0) >= 0.9)
        // 3 × 6 + 6 + 6 × 2 + 2 numbers of four bytes, four clients, and each file's header.
        #expect(records.allSatisfy { $0.clients == 4 && $0.bytesDown == $0.bytesUp && $0.bytesUp > 4 * 4 * 38 })
        let state = try FullWeights(path: small.folder + "/run/state-4/weights.safetensors")
        let base = try ModelRegistry.model(named: "mlp-3-6-2", seed: 5).task(DataSet(path: small.test)).baseWeights()
        #expect(state != base)
    }

    @Test(arguments: ["rbla", "full"])
    func `a run of a convolutional net that was stopped comes to the same bytes`(strategy: String) async throws {
        let document = try convolutional(strategy: strategy, rounds: 3)
        let whole = try await small.play(document, at: "whole")
        var first = document
        first.federation.round.total = 1
        _ = try await small.play(first, at: "stopped")
        let rest = try await small.play(document, at: "stopped")
        #expect(rest.map(\.testLoss) == whole.map(\.testLoss))
        let name = strategy == "full" ? "weights.safetensors" : "adapter.safetensors"
        let bytes = ["whole", "stopped"].map {
            FileManager.default.contents(atPath: "\(small.folder)/\($0)/state-3/\(name)")
        }
        #expect(bytes[0] != nil && bytes[0] == bytes[1])
    }

    @Test func `one thread or two come to the same bytes`() async throws {
        let document = try convolutional(strategy: "full", rounds: 2)
        var alone = document
        alone.simulation.threads = 1
        _ = try await small.play(document, at: "two")
        _ = try await small.play(alone, at: "one")
        let bytes = ["two", "one"].map {
            FileManager.default.contents(atPath: "\(small.folder)/\($0)/state-2/weights.safetensors")
        }
        #expect(bytes[0] != nil && bytes[0] == bytes[1])
    }

    @Test func `full fine-tuning stands in the table beside adapters`() async throws {
        for strategy in ["full", "rbla"] {
            _ = try await small.play(small.document(strategy: strategy, rounds: 2), at: "runs/group/\(strategy)-seed9")
        }
        let group = try #require(ReportGroup.read(below: small.folder + "/runs").first)
        #expect(group.series.map(\.label).sorted() == ["full", "rbla"])
        #expect(ReportTable(group).markdown.contains("| `full` | 9 | 2 |"))
    }

    @Test(arguments: [
        FederationDocument.Strategy(name: "full", weighting: "ranking"),
        FederationDocument.Strategy(name: "full", parameters: ["gamma": .number(1)]),
    ])
    func `full fine-tuning takes no settings of its own`(strategy: FederationDocument.Strategy) async throws {
        var document = small.document()
        document.federation.strategy = strategy
        let changed = document
        let error = await #expect(throws: SimulationError.self) { try await small.play(changed, at: "run") }
        guard case .settings("strategy", _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test func `a server plays no whole models`() async throws {
        await #expect(throws: SimulationError.self) {
            try await small.play(small.document(strategy: "full"), at: "run", transport: .http)
        }
    }
}
