import Foundation
import Testing

@testable import Training

/// Which model a name or a folder stands for.
@Suite struct ModelRegistryTests {
    @Test func `a name of no kind is refused with the kinds that are known`() {
        for name in ["resnet-50", "", "MLP-4-2", "mlpx-4-2"] {
            let error = #expect(throws: TrainingError.self) { try ModelRegistry.model(named: name, seed: 1) }
            let text = error.map { "\($0)" } ?? ""
            #expect(text.contains("mlp-INPUTS-…-CLASSES") && text.contains("cnn-HEIGHTxWIDTHxCHANNELS"), "\(text)")
        }
    }

    @Test(arguments: [("mlp-4-3-2", ["fc1", "fc2"], 4), ("cnn-4x4x1-2k3-2", ["conv1", "fc1"], 16)])
    func `a name begins with its kind`(name: String, layers: [String], features: Int) throws {
        let model = try ModelRegistry.model(.name(name, seed: 1), dense: [:])
        #expect(model.layers.map(\.name) == layers)
        #expect(model.features == features)
        #expect(model.classes == 2)
    }

    @Test func `a folder of another model type is refused with the types that are known`() throws {
        let folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try Data(#"{"model_type": "t5"}"#.utf8).write(to: URL(filePath: folder + "/config.json"))
        #expect(
            throws: TrainingError.model(
                folder + "/config.json",
                reason: #"its model_type is "t5"; expected one of "bert", "llama", "qwen2", "qwen3", "gpt2", "#
                    + #""mistral""#
            )
        ) { try ModelRegistry.pretrained(path: folder) }
    }

    @Test func `a head is made for as many classes as the examples have`() throws {
        let base = try #require(Bundle.module.resourceURL).path + "/Fixtures/bert/tiny"
        let data = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString).tsv"
        defer { try? FileManager.default.removeItem(atPath: data) }
        try Data("0\ta\n4\tb\n".utf8).write(to: URL(filePath: data))
        let (model, task) = try ModelRegistry.model(.pretrained(base), data: data)
        #expect(model.classes == 5)
        #expect(task.count == 2)
        #expect(model.usualLayers.allSatisfy { !$0.name.hasSuffix(".key") })
    }
}
