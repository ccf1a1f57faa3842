import AdapterFormat
import Foundation
import Testing

@testable import AdapterOperations

/// A pretrained model with a PEFT adapter merged into its weights.
@Suite struct MergedWeightsTests {
    /// What PEFT has merged; `Fixtures/merge/make.py` says with which settings.
    private static let cases = [
        "conv1d-dora", "tied-tokens", "untied-head", "shards-bf16", "embedding-dora", "lora-bias", "bias-all",
        "convolution-dora", "experts-one-by-one", "experts-together",
    ]

    private static func fixture(_ name: String) throws -> String {
        try #require(Bundle.module.resourceURL).path + "/Fixtures/" + name
    }

    private static func merge(base: String, adapter: String, to folder: String) throws {
        try MergedWeights.write(
            base: base, adapter: adapter, configuration: try AdapterConfig(of: adapter), to: folder)
    }

    /// The tensors of a model's files, and the file that each is in.
    private static func tensors(of folder: String) throws -> [String: (file: String, tensor: TensorView)] {
        var tensors: [String: (String, TensorView)] = [:]
        for name in try FileManager.default.contentsOfDirectory(atPath: folder) where name.hasSuffix(".safetensors") {
            for tensor in try SafetensorsFile(path: "\(folder)/\(name)", passesOver: true).tensors {
                tensors[tensor.name] = (name, tensor)
            }
        }
        return tensors
    }

    @Test(arguments: cases) func `a merge has PEFT's numbers in the base's files and types`(name: String) throws {
        let folder = try Scratch()
        let fixture = try Self.fixture("merge/\(name)")
        try Self.merge(
            base: "\(fixture)/base", adapter: "\(fixture)/adapter/adapter_model.safetensors", to: folder.path)
        let (found, base) = (try Self.tensors(of: folder.path), try Self.tensors(of: "\(fixture)/base"))
        let expected = try Self.tensors(of: "\(fixture)/merged")
        #expect(found.keys.sorted() == expected.keys.sorted())
        var changed = 0
        for (key, merged) in expected {
            let own = try #require(found[key]?.tensor)
            #expect(own.shape == merged.tensor.shape)
            if let before = base[key] {
                #expect(own.type == before.tensor.type)
                #expect(found[key]?.file == before.file)
                if before.tensor.floats() == merged.tensor.floats() {
                    #expect(own.floats() == before.tensor.floats())
                } else {
                    changed += 1
                }
            }
            let values = merged.tensor.floats()
            let largest = values.reduce(0) { max($0, abs($1)) }
            // A BF16 may have been rounded on the way.
            let step: Float = own.type == .bf16 ? 1 / 128 : 0
            for (one, other) in zip(own.floats(), values) {
                #expect(abs(one - other) <= 1e-5 * largest + step * abs(other), "\(key)")
            }
        }
        #expect(changed > 0)
    }

    @Test func `a folder's other files go along, and an index where there are shards`() throws {
        let folder = try Scratch()
        let fixture = try Self.fixture("merge/shards-bf16")
        try Self.merge(
            base: "\(fixture)/base", adapter: "\(fixture)/adapter/adapter_model.safetensors", to: folder.path)
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        #expect(names == (try FileManager.default.contentsOfDirectory(atPath: "\(fixture)/base").sorted()))
        for name in ["config.json", "model.safetensors.index.json"] {
            #expect(
                FileManager.default.contentsEqual(atPath: "\(folder.path)/\(name)", andPath: "\(fixture)/base/\(name)"))
        }
        let other = try Scratch()
        try Self.merge(
            base: "\(fixture)/base/model.safetensors.index.json",
            adapter: "\(fixture)/adapter/adapter_model.safetensors", to: other.path)
        #expect(try FileManager.default.contentsOfDirectory(atPath: other.path).sorted() == names)
    }

    @Test func `a head of its own unties the configuration`() throws {
        let folder = try Scratch()
        let fixture = try Self.fixture("merge/untied-head")
        try Self.merge(
            base: "\(fixture)/base", adapter: "\(fixture)/adapter/adapter_model.safetensors", to: folder.path)
        let text = try String(contentsOfFile: "\(folder.path)/config.json", encoding: .utf8)
        #expect(text.contains("\"tie_word_embeddings\": false"))
        // Nothing else of it changes.
        let before = try String(contentsOfFile: "\(fixture)/base/config.json", encoding: .utf8)
        #expect(text == before.replacingOccurrences(of: "_embeddings\": true", with: "_embeddings\": false"))
    }

    @Test func `a new head goes to the last shard, and the index counts it`() throws {
        let (folder, base) = (try Scratch(), try Scratch())
        let fixture = try Self.fixture("merge/shards-bf16/base")
        try FileManager.default.removeItem(atPath: base.path)
        try FileManager.default.copyItem(atPath: fixture, toPath: base.path)
        let adapter = try Drawn(["classifier.weight": [3, 8]], config: #""modules_to_save": ["classifier"]"#)
        try Self.merge(base: base.path, adapter: adapter.path, to: folder.path)
        let found = try Self.tensors(of: folder.path)
        let head = try #require(found["classifier.weight"])
        #expect(head.file == "model-00002-of-00002.safetensors")
        #expect(head.tensor.type == .bf16 && head.tensor.shape == [3, 8])
        let index = try #require(
            try JSONSerialization.jsonObject(
                with: try Data(contentsOf: URL(fileURLWithPath: "\(folder.path)/model.safetensors.index.json")))
                as? [String: Any])
        let total = ((index["metadata"] as? [String: Any])?["total_size"] as? NSNumber)?.intValue
        #expect(total == found.values.reduce(0) { $0 + $1.tensor.byteCount })
        #expect((index["weight_map"] as? [String: String])?["classifier.weight"] == head.file)
    }

    /// What cannot be merged: the base, the tensors, further members of the configuration, and what the answer names.
    struct Refusal: Sendable, CustomTestStringConvertible {
        let base: String
        let tensors: [String: [Int]]
        let config: String
        let expected: [String]
        var testDescription: String { expected.joined(separator: ", ") }
    }

    private static func lora(_ module: String, _ outputs: Int, _ inputs: Int) -> [String: [Int]] {
        ["\(module).lora_A.weight": [2, inputs], "\(module).lora_B.weight": [outputs, 2]]
    }

    private static let layer = "model.layers.0.self_attn"

    static let refusals = [
        Refusal(
            base: "lora-bias", tensors: lora("\(layer).q_proj", 8, 8),
            config: #""layer_replication": [[0, 1], [0, 1]]"#,
            expected: ["layer_replication"]),
        Refusal(
            base: "lora-bias", tensors: lora("\(layer).q_proj", 8, 8), config: #""alora_invocation_tokens": [1]"#,
            expected: ["alora_invocation_tokens"]),
        Refusal(
            base: "lora-bias", tensors: lora("\(layer).x_proj", 8, 8), config: "",
            expected: ["\(layer).x_proj", "has no weight"]),
        Refusal(
            base: "lora-bias", tensors: lora("\(layer).k_proj", 8, 8), config: "",
            expected: ["\(layer).k_proj", "[4, 8]", "8 outputs"]),
        Refusal(
            base: "lora-bias",
            tensors: lora("model.layers.0.mlp.down_proj", 8, 10).merging([
                "model.layers.0.mlp.down_proj.lora_B.bias": [8]
            ]) { $1 }, config: #""lora_bias": true"#, expected: ["model.layers.0.mlp.down_proj.bias"]),
        Refusal(
            base: "lora-bias", tensors: lora("\(layer).q_proj", 8, 8), config: #""use_dora": true"#,
            expected: ["\(layer).q_proj", "lora_magnitude_vector"]),
        Refusal(
            base: "lora-bias",
            tensors: lora("\(layer).q_proj", 8, 8).merging(["\(layer).k_proj.lora_magnitude_vector": [4]]) { $1 },
            config: #""use_dora": true"#, expected: ["\(layer).k_proj.lora_magnitude_vector"]),
        Refusal(
            base: "lora-bias",
            tensors: lora("\(layer).q_proj", 8, 8).merging(["\(layer).q_proj.weight": [8, 8]]) { $1 },
            config: "", expected: ["\(layer).q_proj.weight", "both"]),
        Refusal(
            base: "lora-bias", tensors: lora("\(layer).q_proj", 8, 8).merging(["score.weight": [3, 8]]) { $1 },
            config: "", expected: ["score.weight", "modules_to_save"]),
        Refusal(
            base: "lora-bias", tensors: ["lm_head.weight": [13, 8]], config: #""modules_to_save": ["lm_head"]"#,
            expected: ["lm_head.weight", "[12, 8]", "[13, 8]"]),
        Refusal(
            base: "lora-bias", tensors: ["model.embed_tokens.token_adapter.trainable_tokens_delta": [2, 8]], config: "",
            expected: ["trainable_token_indices", "model.embed_tokens"]),
        Refusal(
            base: "lora-bias", tensors: ["model.embed_tokens.token_adapter.trainable_tokens_delta": [2, 8]],
            config: #""trainable_token_indices": {"embed_tokens": [3, 12]}"#, expected: ["12", "12 rows"]),
        Refusal(
            base: "lora-bias", tensors: lora("\(layer).q_proj", 8, 8), config: #""fan_in_fan_out": true"#,
            expected: ["\(layer).q_proj.weight", "fan_in_fan_out"]),
        Refusal(
            base: "conv1d-dora",
            tensors: ["transformer.wte.lora_embedding_A": [2, 12], "transformer.wte.lora_embedding_B": [8, 2]],
            config: "", expected: ["transformer.wte.weight", "tie_word_embeddings"]),
        Refusal(
            base: "conv1d-dora", tensors: ["transformer.wte.weight": [12, 8]], config: #""modules_to_save": ["wte"]"#,
            expected: ["transformer.wte.weight", "tie_word_embeddings"]),
        Refusal(
            base: "experts-together",
            tensors: lora("model.layers.0.mlp.experts", 7, 8).mapValues { sides in
                sides[0] == 2 ? [6, sides[1]] : [sides[0], 6]
            }, config: #""target_parameters": ["experts.gate_up_proj"]"#,
            expected: ["model.layers.0.mlp.experts", "3 experts", "7 outputs"]),
        Refusal(
            base: "lora-bias", tensors: ["lm_head.weight": [12, 8], "lm_head.modules_to_save.bias": [12]],
            config: #""modules_to_save": ["lm_head"]"#, expected: ["lm_head.modules_to_save.bias", "lm_head.bias"]),
        Refusal(
            base: "convolution-dora",
            tensors: ["conv.lora_A.weight": [2, 3, 3, 2], "conv.lora_B.weight": [4, 2, 1, 1]], config: "",
            expected: ["conv.weight", "[4, 3, 2, 3]"]),
    ]

    @Test(arguments: refusals) func `what cannot be merged is refused by name, and nothing is written`(
        _ refusal: Refusal
    ) throws {
        let folder = try Scratch()
        let adapter = try Drawn(refusal.tensors, config: refusal.config)
        let error = #expect(throws: AdapterFileError.self) {
            try Self.merge(
                base: try Self.fixture("merge/\(refusal.base)/base"), adapter: adapter.path, to: folder.path)
        }
        let text = error.map { "\($0)" } ?? ""
        for part in refusal.expected { #expect(text.contains(part), "\(text)") }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    }

    @Test func `a base of quantised weights is refused by the type`() throws {
        let (base, folder) = (try Scratch(), try Scratch())
        let header = #"{"q.weight":{"dtype":"I8","shape":[8,8],"data_offsets":[0,64]}}"#
        var bytes = Data([UInt8(header.utf8.count), 0, 0, 0, 0, 0, 0, 0]) + Data(header.utf8)
        bytes.append(Data(count: 64))
        try bytes.write(to: URL(fileURLWithPath: base.path + "/model.safetensors"))
        let adapter = try Drawn(Self.lora("q", 8, 8), config: "")
        let error = #expect(throws: AdapterFileError.self) {
            try Self.merge(base: base.path, adapter: adapter.path, to: folder.path)
        }
        #expect(error.map { "\($0)" }?.contains("q.weight as I8") == true)
    }

    @Test func `a folder that is not one model's is refused`() throws {
        let (folder, out) = (try Scratch(), try Scratch())
        let adapter = try Drawn(Self.lora("q", 8, 8), config: "")
        func refused() -> String {
            let error = #expect(throws: AdapterFileError.self) {
                try Self.merge(base: folder.path, adapter: adapter.path, to: out.path)
            }
            return error.map { "\($0)" } ?? ""
        }
        #expect(refused().contains("found no safetensors file"))
        for name in ["a.safetensors", "b.safetensors"] {
            try Data().write(to: URL(fileURLWithPath: "\(folder.path)/\(name)"))
        }
        #expect(refused().contains("found a.safetensors, b.safetensors"))
        let index = #"{"weight_map": {"q.weight": "../a.safetensors"}}"#
        try Data(index.utf8).write(to: URL(fileURLWithPath: folder.path + "/model.safetensors.index.json"))
        #expect(refused().contains("../a.safetensors"))
    }

    @Test func `the base's own folder and one with another model are refused`() throws {
        let fixture = try Self.fixture("merge/lora-bias")
        let adapter = "\(fixture)/adapter/adapter_model.safetensors"
        #expect(throws: AdapterFileError.self) {
            try Self.merge(base: "\(fixture)/base", adapter: adapter, to: "\(fixture)/base")
        }
        let folder = try Scratch()
        try Data().write(to: URL(fileURLWithPath: folder.path + "/model.safetensors.index.json"))
        let error = #expect(throws: AdapterFileError.self) {
            try Self.merge(base: "\(fixture)/base", adapter: adapter, to: folder.path)
        }
        #expect(error.map { "\($0)" }?.contains("model.safetensors.index.json") == true)
    }
}

/// A folder of a test's own, removed with it.
private final class Scratch {
    let path = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"

    init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// An adapter's folder with tensors of these shapes.
private final class Drawn {
    private let folder: Scratch
    var path: String { folder.path + "/adapter_model.safetensors" }

    init(_ shapes: [String: [Int]], config: String) throws {
        folder = try Scratch()
        let descriptor = open(folder.path + "/adapter_model.safetensors", O_RDWR | O_CREAT, 0o600)
        defer { close(descriptor) }
        let tensors = shapes.map {
            SafetensorsLayout.Tensor(name: TensorName.prefix + $0.key, type: .f32, shape: $0.value)
        }
        var writer = try SafetensorsWriter(layout: try SafetensorsLayout(tensors: tensors), descriptor: descriptor)
        for tensor in tensors {
            try writer.write((0..<tensor.shape.reduce(1, *)).map { 0.1 * Float($0 % 7) }, to: tensor.name)
        }
        try writer.finish()
        let text = #"{"peft_type": "LORA", "r": 2, "lora_alpha": 6"# + (config.isEmpty ? "" : ", " + config) + "}"
        try Data(text.utf8).write(to: URL(fileURLWithPath: folder.path + "/adapter_config.json"))
    }
}
