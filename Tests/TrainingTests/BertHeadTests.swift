import AdapterFormat
import AdapterOperations
import Foundation
import Testing
import TrainingData

@testable import Training

/// Where a classifier's first values come from: the adapter, else the base's own file, else the federation's seed.
@Suite final class BertHeadTests {
    private let folder: String

    init() throws {
        folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    private static let dense = ["classifier.weight": [3, 32], "classifier.bias": [3]]
    private static let texts = EncodedTexts(labels: [0, 1, 2], texts: [[2, 9, 3], [2, 5, 6, 7, 3], [2, 3]])
    private static let settings = TrainingSettings(["max_length": .number(8)])

    private static var tiny: String {
        get throws { try #require(Bundle.module.resourceURL).path + "/Fixtures/bert/tiny" }
    }

    /// The tiny model with a classifier of these numbers in its file, or as it is.
    private func model(head: [String: (shape: [Int], value: Float)] = [:]) throws -> BertEncoder {
        guard !head.isEmpty else { return try BertEncoder(folder: Self.tiny) }
        let path = folder + "/model"
        try FileManager.default.copyItem(atPath: Self.tiny, toPath: path)
        let file = try SafetensorsFile(path: Self.tiny + "/model.safetensors", passesOver: true)
        var tensors = file.tensors.map { (name: $0.name, shape: $0.shape, values: $0.floats()) }
        for (name, (shape, value)) in head {
            tensors.append((name, shape, [Float](repeating: value, count: shape.reduce(1, *))))
        }
        let descriptor = open(path + "/model.safetensors", O_RDWR | O_CREAT | O_TRUNC, 0o600)
        defer { close(descriptor) }
        var writer = try SafetensorsWriter(
            layout: SafetensorsLayout(tensors: tensors.map { .init(name: $0.name, type: .f32, shape: $0.shape) }),
            descriptor: descriptor)
        for tensor in tensors { try writer.write(tensor.values, to: tensor.name) }
        try writer.finish()
        return try BertEncoder(folder: path)
    }

    private static let ownHead: [String: (shape: [Int], value: Float)] = [
        "classifier.weight": ([3, 32], 0.125), "classifier.bias": ([3], 0.25),
    ]

    /// An adapter of query and value of the first layer, with these tensors beside them.
    private func adapter(_ encoder: BertEncoder, dense: [String: [Int]] = [:]) throws -> String {
        let path = folder + "/adapter"
        let layers = try encoder.model(dense: Self.dense).layers.prefix(3)
        let shape = try AdapterShape(
            modules: layers.map { ModuleShape(name: $0.name, inputs: $0.inputs, outputs: $0.outputs, maximumRank: 2) },
            dense: dense.map { .init(name: $0.key, shape: $0.value) })
        try writeDrawnAdapter(shape, to: path, seed: 3, a: 0.3)
        return path
    }

    /// What is sent after a step too small to change anything.
    private func sent(
        _ encoder: BertEncoder, _ adapter: String, federationSeed: UInt64 = 7, clientSeed: UInt64 = 1,
        dense: [String: [Int]]? = dense
    ) async throws -> [String: [Float]] {
        let output = folder + "/out"
        let ranks = try AdapterFile(path: adapter).ranks
        let plan = TrainingPlan(
            round: 1, ranks: ranks, scales: ranks.mapValues { _ in 1 }, seed: clientSeed,
            federationSeed: federationSeed, dense: dense,
            settings: TrainingSettings([
                "epochs": .number(1), "learning_rate": .number(1e-12), "max_length": .number(8),
            ]))
        _ = try await NativeTrainer(encoder.model(dense: Self.dense).task(Self.texts)).train(
            TrainingAssignment(adapter: adapter, configuration: "", plan: plan, output: output)
        ) { _ in }
        let file = try AdapterFile(path: output)
        // The step moves zeros by less than this.
        func settled(_ value: Float) -> Float { abs(value) < 1e-10 ? 0 : value }
        return Dictionary(uniqueKeysWithValues: file.dense.map { ($0.name, $0.values.floats().map(settled)) })
    }

    @Test
    func `a head that adapter and base lack is drawn from the federation's seed, alike for all clients, and sent`()
        async throws
    {
        let encoder = try model()
        let adapter = try adapter(encoder)
        let one = try await sent(encoder, adapter, clientSeed: 1)
        let two = try await sent(encoder, adapter, clientSeed: 2)
        let other = try await sent(encoder, adapter, federationSeed: 8)
        let weight = try #require(one["classifier.weight"])
        #expect(one == two && one["classifier.bias"] == [0, 0, 0])
        #expect(weight == DenseTensor.drawn("classifier.weight", [3, 32], seed: 7))
        #expect(weight != other["classifier.weight"])
        let deviation = (weight.reduce(0) { $0 + $1 * $1 } / Float(weight.count)).squareRoot()
        #expect((0.015...0.025).contains(deviation))
    }

    @Test func `a head of the base is where clients begin that have none in the adapter`() async throws {
        let encoder = try model(head: Self.ownHead)
        let found = try await sent(encoder, try adapter(encoder))
        #expect(found["classifier.weight"] == [Float](repeating: 0.125, count: 96))
        #expect(found["classifier.bias"] == [0.25, 0.25, 0.25])
    }

    @Test func `the adapter's own values come before the base's`() async throws {
        let encoder = try model(head: Self.ownHead)
        let adapter = try adapter(encoder, dense: Self.dense)
        let file = try AdapterFile(path: adapter)
        let found = try await sent(encoder, adapter)
        #expect(found["classifier.weight"] == file[dense: "classifier.weight"]?.values.floats())
    }

    @Test func `a head of the base with other sides is refused by name`() async throws {
        let encoder = try model(head: ["classifier.weight": ([5, 32], 1), "classifier.bias": ([5], 1)])
        let adapter = try adapter(encoder)
        await #expect(
            throws: TrainingError.model(
                "classifier.weight", reason: "its shape is [5, 32] in the base; the federation has [3, 32]")
        ) { try await sent(encoder, adapter) }
    }

    @Test func `a federation that trains something else is refused by name`() async throws {
        let encoder = try model()
        let adapter = try adapter(encoder)
        await #expect(
            throws: TrainingError.setting(
                "dense", expected: "what this model trains",
                found:
                    "bert.pooler.dense.weight, which native models do not train: the model has no such tensor beside its "
                    + "layers")
        ) {
            try await sent(encoder, adapter, dense: Self.dense.merging(["bert.pooler.dense.weight": [32, 32]]) { $1 })
        }
        // A plan of an older server says nothing of tensors; its adapters hold all that there are.
        await #expect(
            throws: TrainingError.model(
                "classifier.weight", reason: "the adapter lacks it or classifier.bias, the classifier")
        ) { try await sent(encoder, adapter, dense: nil) }
    }

    @Test func `an adapter without a head is scored on the base's own, and refused where there is none`() throws {
        let encoder = try model(head: Self.ownHead)
        let path = try adapter(encoder)
        let file = try AdapterFile(path: path)
        let scales = file.ranks.mapValues { _ in 1.0 }
        let alone = try Evaluation(
            of: encoder.model(for: file).task(Self.texts), adapter: path, scales: scales, settings: Self.settings
        )
        // All classes are the same to this head.
        #expect(alone.logits.count == 9 && Set(alone.logits[..<3]).count == 1)
        let together = try encoder.model(for: file).task(Self.texts)
            .score([ScoredAdapter(path: path, scales: scales)], settings: Self.settings)
        #expect(zip(alone.logits, together[0].logits).allSatisfy { abs($0 - $1) < 1e-5 })
        let bare = try model()
        #expect(throws: TrainingError.self) { try bare.model(for: file) }
    }
}
