import AdapterFormat
import Foundation
import Testing

@testable import AdapterOperations

/// What fusing and merging do with tensors and settings that they do not know: refuse them by name.
@Suite final class UnmergeableTensorTests {
    private let folder: String

    init() throws {
        folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

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
    func `a configuration that native models do not compute is not fused`(text: String, reason: String) throws {
        let adapter = try write(Self.sound, text, to: "odd")
        let sound = try write(Self.sound, to: "sound")
        let path = adapter + "/adapter_model.safetensors"
        #expect(throws: AdapterFileError.adapter(file: path, reason: reason)) {
            try AdapterFusion(personal: sound, shared: adapter)
        }
    }

    @Test func `adapters with magnitudes are not fused, and those that differ are told by a tensor`() throws {
        let sound = try write(Self.sound, to: "sound")
        let dora = try write(
            Self.sound.merging(["fc1.lora_magnitude_vector": [8]]) { $1 }, #"{"r":2,"use_dora":true}"#, to: "dora")
        #expect(
            throws: AdapterFileError.adapter(
                file: dora + "/adapter_model.safetensors",
                reason: "it holds fc1.lora_magnitude_vector: adapters with DoRA cannot be fused")
        ) { try AdapterFusion(personal: dora, shared: sound) }
        let more = try write(Self.sound.merging(["head.weight": [2, 8]]) { $1 }, to: "more")
        #expect(throws: AdapterFileError.adapter(file: more, reason: "it has head.weight, which \(sound) has not")) {
            try AdapterFusion(personal: sound, shared: more)
        }
        let other = try write(Self.sound, #"{"r":2,"fan_in_fan_out":true}"#, to: "other")
        #expect(
            throws: AdapterFileError.adapter(
                file: sound, reason: "its configuration's fan_in_fan_out is false, and true in \(other)")
        ) { try AdapterFusion(personal: sound, shared: other) }
    }

    @Test(arguments: [
        ("fc1.lora_magnitude_vector", "came, and its configuration does not say use_dora"),
        (
            "fc1.token_adapter.trainable_tokens_delta",
            "needs the positions of its rows, which trainable_token_indices does not give for fc1"
        ),
        (
            "fc1.lora_diag",
            "belongs to KaSA, whose base is another at every rank; it cannot be averaged"
        ),
    ])
    func `merged weights take no tensor for one of the model's that is none`(name: String, reason: String) throws {
        let base = folder + "/base.safetensors"
        let layout = try SafetensorsLayout(
            tensors: [("fc1.weight", [8, 4]), ("fc1.bias", [8]), ("fc2.weight", [2, 8]), ("fc2.bias", [2])].map {
                .init(name: $0, type: .f32, shape: $1)
            })
        try Data(layout.head + [UInt8](repeating: 0, count: layout.byteCount - layout.head.count))
            .write(to: URL(fileURLWithPath: base))
        let adapter = try write(Self.sound.merging([name: [8]]) { $1 }, to: "odd") + "/adapter_model.safetensors"
        #expect(throws: AdapterFileError.adapter(file: adapter, reason: "\(name) \(reason)")) {
            try MergedWeights.write(
                base: base, adapter: adapter, configuration: AdapterConfig(), to: folder)
        }
    }

    @Test func `an embedding's product is added to its table's rows, and GPT-2's to its transposed weights`() throws {
        // Two inputs, three outputs: A = (1 2), B = (3 4 5)ᵀ.
        let layout = try SafetensorsLayout(tensors: [
            .init(name: "wte.weight", type: .f32, shape: [2, 3]), .init(name: "c.weight", type: .f32, shape: [2, 3]),
        ])
        try Data(layout.head + [UInt8](repeating: 0, count: 48)).write(to: URL(fileURLWithPath: folder + "/base"))
        // It has no head that the table could be tied to.
        try Data(#"{"architectures":["GPT2Model"]}"#.utf8).write(to: URL(fileURLWithPath: folder + "/config.json"))
        let shape = try AdapterShape(modules: [
            ModuleShape(name: "wte", kind: .embedding, inputs: 2, outputs: 3, maximumRank: 1),
            ModuleShape(name: "c", inputs: 2, outputs: 3, maximumRank: 1),
        ])
        let descriptor = open(folder + "/adapter", O_RDWR | O_CREAT | O_TRUNC, 0o600)
        defer { close(descriptor) }
        var writer = try AdapterWriter(shape: shape, descriptor: descriptor)
        for module in shape.modules {
            try writer.take(ModuleFactors(rank: 1, inputs: 2, outputs: 3, a: [1, 2], b: [3, 4, 5]), of: module)
        }
        try writer.finish()
        try FileManager.default.createDirectory(atPath: folder + "/merged", withIntermediateDirectories: true)
        let text = #"{"r":1,"lora_alpha":2,"fan_in_fan_out":true}"#
        try MergedWeights.write(
            base: folder + "/base", adapter: folder + "/adapter", configuration: AdapterConfig(json: Array(text.utf8)),
            to: folder + "/merged")
        let merged = try SafetensorsFile(path: folder + "/merged/model.safetensors")
        #expect(merged["wte.weight"]?.floats() == [6, 8, 10, 12, 16, 20])
        #expect(merged["c.weight"]?.floats() == [6, 8, 10, 12, 16, 20])
    }
}
