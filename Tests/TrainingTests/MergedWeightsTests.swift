import AdapterFormat
import Foundation
import Testing

@testable import Training

/// A pretrained model with a PEFT adapter added to its weights.
@Suite struct MergedWeightsTests {
    private static var base: String {
        get throws { try #require(Bundle.module.resourceURL).path + "/Fixtures/bert/tiny" }
    }

    @Test func `a merged encoder gives the logits that base and adapter give`() throws {
        let folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try FileManager.default.copyItem(atPath: Self.base, toPath: folder)
        let adapter = try Self.base + "/adapter_model.safetensors"
        let configuration = try AdapterConfig(of: adapter)
        // The encoder's file has no prefix "bert.", which the adapter's modules have.
        try MergedWeights.write(
            base: try Self.base + "/model.safetensors", adapter: adapter, configuration: configuration,
            to: folder + "/model.safetensors")
        let file = try AdapterFile(try SafetensorsFile(path: adapter))
        let dense = Dictionary(uniqueKeysWithValues: file.dense.map { ($0.name, $0.values.shape) })
        let texts = EncodedTexts(labels: [0, 1, 2], texts: [[2, 9, 3], [2, 5, 6, 7, 3], [2, 3]])
        let settings = TrainingSettings(["max_length": .number(8)])
        let expected = try Evaluation(
            of: NativeModel(BertEncoder(folder: Self.base), dense: dense).task(texts), adapter: adapter,
            scales: configuration.scales(of: file), settings: settings)
        // Of the adapter, only the classifier is left to be given: at scale 0 its factors count for nothing.
        let merged = try Evaluation(
            of: NativeModel(BertEncoder(folder: folder), dense: dense).task(texts), adapter: adapter,
            scales: file.ranks.mapValues { _ in 0 }, settings: settings)
        let unmerged = try Evaluation(
            of: NativeModel(BertEncoder(folder: Self.base), dense: dense).task(texts), adapter: adapter,
            scales: file.ranks.mapValues { _ in 0 }, settings: settings)
        #expect(zip(expected.logits, merged.logits).allSatisfy { abs($0 - $1) < 1e-5 })
        #expect(!zip(expected.logits, unmerged.logits).allSatisfy { abs($0 - $1) < 1e-5 })
        let classifier = try #require(try SafetensorsFile(path: folder + "/model.safetensors")["classifier.weight"])
        #expect(classifier.floats() == file.dense.first { $0.name == "classifier.weight" }?.values.floats())
    }

    @Test func `an adapter of modules that the model lacks is refused, and nothing is written`() throws {
        let folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try BaseModel(model: "mlp-4-3-2", seed: 1).write(to: folder + "/base.safetensors")
        let adapter = try Self.base + "/adapter_model.safetensors"
        #expect(throws: TrainingError.self) {
            try MergedWeights.write(
                base: folder + "/base.safetensors", adapter: adapter, configuration: try AdapterConfig(of: adapter),
                to: folder + "/model.safetensors")
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["base.safetensors"])
    }
}
