import AdapterFormat
import Foundation
import LinearAlgebra
import Testing
import TrainingData

@testable import Training

/// What native models do with tensors that they do not know: refuse them by name, wherever an adapter is read.
@Suite final class UnknownTensorTests {
    private let folder: String

    init() throws {
        folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    private static let data = DataSet(width: 4, features: [1, 2, 3, 4, 4, 3, 2, 1], labels: [0, 1])
    private static let sound: [String: [Int]] = [
        "fc1.lora_A.weight": [2, 4], "fc1.lora_B.weight": [8, 2], "fc2.lora_A.weight": [2, 8],
        "fc2.lora_B.weight": [2, 2],
    ]

    /// Writes an adapter folder of zeros with a configuration of rank 2.
    private func write(_ tensors: [String: [Int]], _ configuration: String = #"{"r":2}"#, to name: String) throws
        -> String
    {
        let path = folder + "/" + name
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        let layout = try SafetensorsLayout(tensors: tensors.map { .init(name: $0, type: .f32, shape: $1) })
        try Data(layout.head + [UInt8](repeating: 0, count: layout.byteCount - layout.head.count))
            .write(to: URL(fileURLWithPath: path + "/adapter_model.safetensors"))
        try Data(configuration.utf8).write(to: URL(fileURLWithPath: path + "/adapter_config.json"))
        return path
    }

    private func task() throws -> NativeTask { try ModelRegistry.model(named: "mlp-4-8-2", seed: 1).task(Self.data) }

    private func plan(dense: [String: [Int]]? = nil) -> TrainingPlan {
        TrainingPlan(
            round: 1, ranks: ["fc1": 2, "fc2": 2], scales: ["fc1": 1, "fc2": 1], seed: 1, dense: dense,
            settings: TrainingSettings(["epochs": .number(1)]))
    }

    private func train(_ adapter: String, merge: String? = nil, plan: TrainingPlan) async throws {
        _ = try await NativeTrainer(task()).train(
            TrainingAssignment(
                adapter: adapter + "/adapter_model.safetensors", configuration: adapter + "/adapter_config.json",
                plan: plan, merge: merge, output: folder + "/trained")
        ) { _ in }
    }

    static let odd: [(tensors: [String: [Int]], reason: String)] = [
        (
            ["head.weight": [2, 8]],
            "it holds head.weight, which native models do not train: the model has no such tensor beside its layers"
        ),
        (
            ["fc1.bias": [8]],
            "it holds fc1.bias, which native models do not train: the model has no such tensor beside its layers"
        ),
        (
            ["fc1.lora_magnitude_vector": [8]],
            "it holds fc1.lora_magnitude_vector, which is DoRA's magnitude: native models compute plain LoRA"
        ),
        (
            ["embed.token_adapter.trainable_tokens_delta": [3, 4]],
            "it holds embed.token_adapter.trainable_tokens_delta, which are rows of an embedding: native models adapt none"
        ),
        (
            ["fc1.sparse_delta": [3]],
            "it holds fc1.sparse_delta, which native models do not train: the model has no such tensor beside its layers"
        ),
        (["fc2.lora_B.bias": [2]], "fc2 has a LoRA bias; native models compute one in language models' adapters alone"),
        (["fc9.lora_A.weight": [2, 4], "fc9.lora_B.weight": [8, 2]], "it adapts fc9, which the model has not"),
    ]

    @Test(arguments: odd)
    func `a tensor that the model does not have is refused by name by every reader`(
        tensors: [String: [Int]], reason: String
    ) async throws {
        let adapter = try write(Self.sound.merging(tensors) { $1 }, to: "odd")
        let path = adapter + "/adapter_model.safetensors"
        let expected = TrainingError.adapter(file: path, reason: reason)
        let scales = ["fc1": 1.0, "fc2": 1, "fc9": 1]
        await #expect(throws: expected, "join") { try await train(adapter, plan: plan()) }
        let task = try task()
        #expect(throws: expected, "evaluate") {
            try Evaluation(adapter: path, settings: TrainingSettings(), task: { _ in task })
        }
        #expect(throws: expected, "score") { try task.score([ScoredAdapter(path: path, scales: scales)]) }
        let sound = try write(Self.sound, to: "sound")
        let merged = await #expect(throws: TrainingError.self, "merge") {
            try await train(sound, merge: path, plan: plan())
        }
        let name = try #require(tensors.keys.min()).split(separator: ".")[0]
        #expect(merged.map { "\($0)".contains(name) && "\($0)".hasPrefix(path) } == true)
        #expect(!FileManager.default.fileExists(atPath: folder + "/trained"))
    }

    @Test func `an embedding's factors on a linear layer are refused`() async throws {
        let adapter = try write(
            [
                "fc1.lora_embedding_A": [2, 4], "fc1.lora_embedding_B": [8, 2], "fc2.lora_A.weight": [2, 8],
                "fc2.lora_B.weight": [2, 2],
            ], to: "odd")
        await #expect(
            throws: TrainingError.adapter(
                file: adapter + "/adapter_model.safetensors",
                reason: "fc1 is embedding from 4 to 8; the model's is linear from 4 to 8")
        ) { try await train(adapter, plan: plan()) }
    }

    @Test func `a federation whose first version leaves magnitudes out is not trained as plain LoRA`() async throws {
        let adapter = try write(Self.sound, to: "sound")
        await #expect(
            throws: TrainingError.setting(
                "dense", expected: "what this model trains",
                found: "fc1.lora_magnitude_vector, which is DoRA's magnitude: native models compute plain LoRA")
        ) { try await train(adapter, plan: plan(dense: ["fc1.lora_magnitude_vector": [8]])) }
        try await train(adapter, plan: plan(dense: [:]))
        try await train(adapter, plan: plan())
    }

    @Test(arguments: [
        (#"{"r":4}"#, "fc1 has rank 2; its configuration says 4"),
        (#"{"r":2,"use_dora":true}"#, "its configuration's use_dora is true: native models compute plain LoRA"),
        (
            #"{"r":2,"target_parameters":["fc1.weight"]}"#,
            #"its configuration's target_parameters is ["fc1.weight"], which native models do not compute"#
        ),
        (
            #"{"r":2,"alora_invocation_tokens":[1,2]}"#,
            "its configuration's alora_invocation_tokens is [1,2], which native models do not compute"
        ),
        (
            #"{"r":2,"layer_replication":[[0,1]]}"#,
            "its configuration's layer_replication is [[0,1]], which native models do not compute"
        ),
    ])
    func `a configuration that asks for something else is refused by the key`(text: String, reason: String) throws {
        let adapter = try write(Self.sound, text, to: "odd")
        let path = adapter + "/adapter_model.safetensors"
        let task = try task()
        #expect(throws: TrainingError.adapter(file: path, reason: reason)) {
            try Evaluation(adapter: path, settings: TrainingSettings(), task: { _ in task })
        }
    }
}
