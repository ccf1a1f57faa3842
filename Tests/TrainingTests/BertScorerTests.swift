import AdapterFormat
import Foundation
import LinearAlgebra
import Testing
import TrainingData

@testable import Training

/// Many adapters on a tiny BERT, in a folder that goes with the test.
@Suite final class BertScorerTests {
    private let folder: String

    init() throws {
        folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    private static let settings = TrainingSettings(["max_length": .number(9)])
    private static let dense = ["classifier.weight": [3, 32], "classifier.bias": [3]]

    private static var base: String {
        get throws { try #require(Bundle.module.resourceURL).path + "/Fixtures/bert/tiny" }
    }

    /// Factors and a classifier of its own; every third adapter leaves the second layer out, every fourth adapts keys too.
    private func adapter(
        _ number: Int, on model: NativeModel, dense: [String: [Int]] = dense
    ) throws -> ScoredAdapter {
        let path = folder + "/\(number)"
        let layers = model.layers.enumerated()
            .filter { ($0.offset / 3 != 1 || number % 3 != 0) && ($0.offset % 3 != 1 || number % 4 == 0) }
            .map(\.element)
        let shape = try AdapterShape(
            modules: layers.map {
                ModuleShape(
                    name: $0.name, kind: $0.kind, inputs: $0.inputs, outputs: $0.outputs, maximumRank: 1 + number % 5)
            }, dense: dense.map { .init(name: $0.key, shape: $0.value) })
        try writeDrawnAdapter(shape, to: path, seed: UInt64(number), a: 0.3, b: 0.3)
        return ScoredAdapter(
            path: path,
            scales: Dictionary(uniqueKeysWithValues: layers.map { ($0.name, 0.5 + Double(number % 3)) }))
    }

    /// Texts of 2 to 12 pieces, of which nine count.
    private func texts(_ count: Int) -> EncodedTexts {
        var generator = SeededGenerator(seed: 5, stream: "texts")
        return EncodedTexts(
            labels: (0..<count).map { $0 % 3 },
            texts: (0..<count).map { number in
                (0..<2 + number % 11).map { _ in Int32(generator.next() % 40) }
            })
    }

    // 3 adapters are scored on four texts at a time, 9 on one; 66 are five groups.
    @Test(arguments: [(3, 7), (1, 1), (9, 12), (66, 3)])
    func `adapters scored together come out as one at a time`(adapterCount: Int, textCount: Int) throws {
        let model = try BertEncoder(folder: Self.base).model(dense: Self.dense)
        let task = try model.task(texts(textCount))
        let adapters = try (0..<adapterCount).map { try adapter($0, on: model) }
        let merge = try adapter(100, on: model, dense: [:]).path
        for merge in [nil, merge] {
            let together = try task.score(adapters, merge: merge, settings: Self.settings)
            #expect(together.count == adapterCount)
            #expect(adapterCount == 1 || together[0].logits != together[1].logits)
            for (adapter, scored) in zip(adapters, together) {
                let alone = try Evaluation(
                    of: task, adapter: adapter.path, merge: merge, scales: adapter.scales, settings: Self.settings)
                #expect(alone.logits.count == scored.logits.count)
                #expect(zip(alone.logits, scored.logits).allSatisfy { abs($0 - $1) < 1e-5 * max(1, abs($0)) })
                #expect(alone.accuracy == scored.accuracy && abs(alone.loss - scored.loss) < 1e-5)
            }
        }
    }

    /// A BERT of drawn numbers whose sides are long enough for products by quarters.
    private func wideBase() throws -> String {
        let (hidden, base) = (256, folder + "/wide")
        var tensors: [(name: String, shape: [Int])] = [
            ("embeddings.word_embeddings", [100, hidden]), ("embeddings.position_embeddings", [24, hidden]),
            ("embeddings.token_type_embeddings", [2, hidden]), ("embeddings.LayerNorm", [hidden]),
            ("pooler.dense", [hidden, hidden]),
        ]
        for layer in 0..<2 {
            let prefix = "encoder.layer.\(layer)."
            let dense = [
                "attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense",
            ]
            for name in dense + ["intermediate.dense", "output.dense"] {
                tensors.append((prefix + name, [hidden, hidden]))
            }
            for name in ["attention.output", "output"] { tensors.append((prefix + name + ".LayerNorm", [hidden])) }
        }
        var shapes = tensors.map { (name: $0.name + ".weight", shape: $0.shape) }
        shapes += tensors.filter { !$0.name.hasSuffix("embeddings") }.map { ($0.name + ".bias", [hidden]) }
        try FileManager.default.createDirectory(atPath: base, withIntermediateDirectories: true)
        try FileManager.default.copyItem(atPath: try Self.base + "/vocab.txt", toPath: base + "/vocab.txt")
        let config = """
            {"model_type": "bert", "hidden_size": \(hidden), "num_hidden_layers": 2, "num_attention_heads": 4,
             "intermediate_size": \(hidden), "vocab_size": 100, "max_position_embeddings": 24}
            """
        try Data(config.utf8).write(to: URL(fileURLWithPath: base + "/config.json"))
        let descriptor = open(base + "/model.safetensors", O_RDWR | O_CREAT | O_TRUNC, 0o600)
        defer { close(descriptor) }
        var writer = try SafetensorsWriter(
            layout: SafetensorsLayout(tensors: shapes.map { .init(name: $0.name, type: .f32, shape: $0.shape) }),
            descriptor: descriptor)
        var generator = SeededGenerator(seed: 3, stream: "wide")
        for (name, shape) in shapes {
            let middle: Float = name.hasSuffix("LayerNorm.weight") ? 1 : 0
            try writer.write(
                (0..<shape.reduce(1, *)).map { _ in middle + generator.uniform(within: 0.1) }, to: name)
        }
        try writer.finish()
        return base
    }

    @Test func `what one adapter lets grow is nothing to the others`() throws {
        let dense = ["classifier.weight": [3, 256], "classifier.bias": [3]]
        let model = try BertEncoder(folder: wideBase()).model(dense: dense)
        let task = try model.task(texts(3))
        var adapters = try (0..<9).map { try adapter($0, on: model, dense: dense) }
        // Its values grow beyond what a float holds.
        for name in adapters[4].scales.keys { adapters[4].scales[name] = 1e30 }
        let together = try task.score(adapters, settings: Self.settings)
        for (number, adapter) in adapters.enumerated() where number != 4 {
            let alone = try Evaluation(
                of: task, adapter: adapter.path, scales: adapter.scales, settings: Self.settings)
            #expect(zip(alone.logits, together[number].logits).allSatisfy { abs($0 - $1) < 1e-5 * max(1, abs($0)) })
        }
    }

    @Test func `an adapter without its classifier is refused`() throws {
        let model = try BertEncoder(folder: Self.base).model(dense: Self.dense)
        let task = try model.task(texts(2))
        let adapters = [
            try adapter(1, on: model), try adapter(2, on: model, dense: ["classifier.weight": [3, 32]]),
        ]
        #expect(
            throws: TrainingError.model(
                "classifier.weight", reason: "the adapter lacks it or classifier.bias, the classifier")
        ) {
            try task.score(adapters, settings: Self.settings)
        }
    }
}
