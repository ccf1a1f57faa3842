import AdapterFormat
import Foundation
import LinearAlgebra
import TestStage
import Testing
import Training

/// `rankwise-lab score` over real files: every kind of base model, adapters of unequal ranks.
@Suite(.ownThread) final class ScoreCommandTests {
    private let folder: String

    init() throws {
        folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    private static let bert = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../TrainingTests/Fixtures/bert/tiny").standardized.path

    enum Base: String, CaseIterable {
        case mlp = "mlp-12-7-3"
        case cnn = "cnn-4x3x1-3k3-5-3"
        case bert

        var arguments: [String] { self == .bert ? ["--base", ScoreCommandTests.bert] : ["--model", rawValue] }

        var dense: [String: [Int]] {
            self == .bert ? ["classifier.weight": [3, 32], "classifier.bias": [3]] : [:]
        }

        func model() throws -> NativeModel {
            self == .bert
                ? try ModelRegistry.model(.pretrained(ScoreCommandTests.bert), dense: dense)
                : try ModelRegistry.model(named: rawValue, seed: 0)
        }

        /// Eleven examples.
        var data: String {
            (0..<11).map { number in
                self == .bert
                    ? "\(number % 3)\tw\(number) w\(30 - number) w\(number / 2)"
                    : (0..<12).map { "\((number * $0) % 5)" }.joined(separator: ",") + ",\(number % 3)"
            }.joined(separator: "\n") + "\n"
        }
    }

    /// Writes a PEFT folder of its own rank.
    private func adapter(_ name: String, rank: Int, on base: Base) throws {
        let path = folder + "/updates/" + name
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        let layers = try base.model().layers.filter { !$0.name.hasSuffix(".key") }
        let shape = try AdapterShape(
            modules: layers.map {
                ModuleShape(name: $0.name, kind: $0.kind, inputs: $0.inputs, outputs: $0.outputs, maximumRank: rank)
            }, dense: base.dense.map { .init(name: $0.key, shape: $0.value) })
        let descriptor = open(path + "/adapter_model.safetensors", O_RDWR | O_CREAT | O_TRUNC, 0o600)
        defer { close(descriptor) }
        var generator = SeededGenerator(seed: UInt64(rank), stream: name)
        var writer = try AdapterWriter(shape: shape, descriptor: descriptor)
        for module in shape.modules {
            var factors = ModuleFactors(zeroOf: module, rank: rank)
            for index in factors.a.indices { factors.a[index] = generator.uniform(within: 0.5) }
            for index in factors.b.indices { factors.b[index] = generator.uniform(within: 0.5) }
            try writer.take(factors, of: module)
        }
        for tensor in shape.dense {
            try writer.take((0..<tensor.elementCount).map { _ in generator.uniform(within: 0.5) }, of: tensor)
        }
        try writer.finish()
        try AdapterConfig(shape: shape, scaling: .lora(alpha: 8)).json
            .write(toFile: path + "/adapter_config.json", atomically: true, encoding: .utf8)
    }

    private struct Scores: Decodable {
        struct Row: Decodable {
            let name: String
            let lowest_rank: Int
            let highest_rank: Int
            let accuracy: Double
            let loss: Double
        }

        let examples: Int
        let one_at_a_time: Bool
        let adapters: [Row]
    }

    @Test(arguments: Base.allCases)
    func `a folder of adapters gets the scores that each gets by itself`(base: Base) throws {
        for (name, rank) in [("edge-0", 1), ("edge-1", 4), ("edge-2", 2)] { try adapter(name, rank: rank, on: base) }
        let data = folder + "/data"
        try base.data.write(toFile: data, atomically: true, encoding: .utf8)
        let common = base.arguments + ["--data", data]
        let (csv, json) = (folder + "/scores.csv", folder + "/scores.json")
        let score = try Program(
            "rankwise-lab", ["score"] + common + ["--update", folder + "/updates", "--csv", csv, "--json", json])
        let lines = score.lines()
        #expect(score.exitStatus() == 0)
        let single = try Program(
            "rankwise-lab", ["score"] + common + ["--update", folder + "/updates", "--one-at-a-time"])
        #expect(single.lines() == lines)
        #expect(lines.first == "adapter\trank\taccuracy\tloss" && lines.count == 4)
        for (line, rank) in zip(lines.dropFirst(), [1, 4, 2]) {
            let fields = line.split(separator: "\t").map(String.init)
            let alone = try Program(
                "rankwise-lab",
                ["evaluate"] + common + ["--adapter", folder + "/updates/\(fields[0])/adapter_model.safetensors"])
            #expect(alone.lines() == ["accuracy=\(fields[2])\tloss=\(fields[3])"])
            #expect(fields[1] == "\(rank)")
        }
        #expect(Set(lines.dropFirst().map { $0.split(separator: "\t")[3] }).count == 3)

        let scores = try JSONDecoder().decode(Scores.self, from: Data(contentsOf: URL(filePath: json)))
        #expect(scores.examples == 11 && !scores.one_at_a_time)
        #expect(scores.adapters.map(\.name) == ["edge-0", "edge-1", "edge-2"])
        #expect(scores.adapters.map(\.highest_rank) == [1, 4, 2] && scores.adapters.map(\.lowest_rank) == [1, 4, 2])
        let rows = try String(contentsOfFile: csv, encoding: .utf8).split(separator: "\n")
        #expect(rows.first == "name,path,lowest_rank,highest_rank,accuracy,loss")
        #expect(
            rows.dropFirst().map { $0.split(separator: ",").last.flatMap { Double($0) } }
                == scores.adapters.map { Optional($0.loss) })
    }

    @Test func `files are scored in the order given, under the configuration given`() throws {
        for (name, rank) in [("b", 1), ("a", 4)] { try adapter(name, rank: rank, on: .mlp) }
        let data = folder + "/data"
        try Base.mlp.data.write(toFile: data, atomically: true, encoding: .utf8)
        let files = ["b", "a"].map { folder + "/updates/\($0)/adapter_model.safetensors" }
        func names(_ arguments: [String]) throws -> [[Substring]] {
            let score = try Program(
                "rankwise-lab", ["score", "--model", "mlp-12-7-3", "--data", data, "--update"] + files + arguments)
            let lines = score.lines()
            #expect(score.exitStatus() == 0)
            return lines.dropFirst().map { $0.split(separator: "\t") }
        }
        let own = try names([])
        #expect(own.map { $0[0] } == ["b", "a"])
        // Rank 4's configuration has another scale than rank 1's.
        let common = try names(["--config", folder + "/updates/a/adapter_config.json"])
        #expect(common[1] == own[1] && common[0] != own[0])
    }

    @Test func `what cannot be scored is refused`() throws {
        try adapter("edge-0", rank: 2, on: .mlp)
        let data = folder + "/data"
        try Base.mlp.data.write(toFile: data, atomically: true, encoding: .utf8)
        let empty = folder + "/empty"
        try FileManager.default.createDirectory(atPath: empty, withIntermediateDirectories: true)
        try Data("no adapter".utf8).write(to: URL(filePath: empty + ".safetensors"))
        func status(_ arguments: [String]) throws -> Int32 {
            try Program("rankwise-lab", ["score", "--data", data] + arguments).exitStatus()
        }
        let model = ["--model", "mlp-12-7-3"]
        #expect(try status(model + ["--update", folder + "/updates"]) == 0)
        for refused in [
            model + ["--update", empty], model + ["--update", empty + ".safetensors"],
            model + ["--update", folder + "/nowhere.safetensors"], model,
            model + ["--base", Self.bert, "--update", folder + "/updates"],
            ["--model", "mlp-12-8-3", "--update", folder + "/updates"],
            ["--base", Self.bert, "--update", folder + "/updates"],
        ] {
            #expect(try status(refused) == 64, "\(refused)")
        }
    }
}
