import AdapterFormat
import AdapterOperations
import Foundation
import Testing
import TrainingData

@testable import Training

/// A pretrained encoder with an adapter merged into its weights.
@Suite final class MergedEncoderTests {
    private let folder: String

    init() throws {
        folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    @Test func `a merged encoder gives the logits that base and adapter give`() throws {
        let base = try #require(Bundle.module.resourceURL).path + "/Fixtures/bert/tiny"
        let adapter = base + "/adapter_model.safetensors"
        let configuration = try AdapterConfig(of: adapter)
        // The encoder's file has no prefix "bert.", which the adapter's modules have.
        try MergedWeights.write(base: base, adapter: adapter, configuration: configuration, to: folder)
        let file = try AdapterFile(try SafetensorsFile(path: adapter))
        let dense = Dictionary(uniqueKeysWithValues: file.dense.map { ($0.name, $0.values.shape) })
        let texts = EncodedTexts(labels: [0, 1, 2], texts: [[2, 9, 3], [2, 5, 6, 7, 3], [2, 3]])
        let settings = TrainingSettings(["max_length": .number(8)])
        func logits(of base: String, scales: [String: Double]) throws -> [Float] {
            try Evaluation(
                of: BertEncoder(folder: base).model(dense: dense).task(texts), adapter: adapter,
                scales: scales, settings: settings
            ).logits
        }
        let expected = try logits(of: base, scales: configuration.scales(of: file))
        // Of the adapter, only the classifier is left to be given: at scale 0 its factors count for nothing.
        let none = file.ranks.mapValues { _ in 0.0 }
        let merged = try logits(of: folder, scales: none)
        #expect(zip(expected, merged).allSatisfy { abs($0 - $1) < 1e-5 })
        #expect(!zip(expected, try logits(of: base, scales: none)).allSatisfy { abs($0 - $1) < 1e-5 })
        let model = try SafetensorsFile(path: folder + "/model.safetensors", passesOver: true)
        let classifier = try #require(model["classifier.weight"])
        #expect(classifier.floats() == file.dense.first { $0.name == "classifier.weight" }?.values.floats())
    }
}
