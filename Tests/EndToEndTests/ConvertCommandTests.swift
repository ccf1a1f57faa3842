import AdapterFormat
import Foundation
import TestStage
import Testing

/// `rankwise-lab convert` over real files.
@Suite(.ownThread) final class ConvertCommandTests {
    private let folder: String

    init() throws {
        folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder + "/in", withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    /// Writes a file of zeros.
    private func write(_ tensors: [String: [Int]], to path: String) throws {
        let layout = try SafetensorsLayout(tensors: tensors.map { .init(name: $0, type: .f16, shape: $1) })
        try Data(layout.head + [UInt8](repeating: 0, count: layout.byteCount - layout.head.count))
            .write(to: URL(fileURLWithPath: "\(folder)/\(path)"))
    }

    private func convert(_ arguments: String...) throws -> (status: Int32?, text: String) {
        let program = try Program(
            ["\(try Program.builtFolder())/rankwise-lab", "convert"] + arguments, errors: .merged)
        let text = program.lines().joined(separator: "\n")
        return (program.exitStatus(), text)
    }

    private func adapter(_ path: String) throws -> (file: AdapterFile, config: AdapterConfig) {
        let json = try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(path)/adapter_config.json"))
        return (
            try AdapterFile(SafetensorsFile(path: "\(folder)/\(path)/adapter_model.safetensors")),
            try AdapterConfig(json: Array(json))
        )
    }

    private static let kohya: [String: [Int]] = [
        "lora_unet_conv_in.lora_down.weight": [2, 3, 3, 3], "lora_unet_conv_in.lora_up.weight": [4, 2, 1, 1],
        "lora_unet_mid_block_attentions_0_proj_in.lora_down.weight": [3, 4],
        "lora_unet_mid_block_attentions_0_proj_in.lora_up.weight": [4, 3],
    ]

    @Test func `a file of one part becomes PEFT's folder, and a line says what it was`() throws {
        try write(Self.kohya, to: "in/lora.safetensors")
        let (status, text) = try convert("\(folder)/in/lora.safetensors", "\(folder)/out")
        #expect(status == 0)
        #expect(text == "kohya's scripts: unet, 2 modules of rank 2, 3, scale 1")
        let (file, config) = try adapter("out")
        #expect(file.ranks == ["conv_in": 2, "mid_block.attentions.0.proj_in": 3])
        #expect(config.scale(of: "conv_in") == 1 && config.rank(of: "mid_block.attentions.0.proj_in") == 3)
        // What was converted is PEFT's, and says so.
        let again = try convert("\(folder)/out", "\(folder)/again")
        #expect(again.status != 0)
        #expect(again.text.contains("out/adapter_model.safetensors: its tensors have PEFT's names already"))
    }

    @Test func `a file of several parts becomes a folder for each`() throws {
        let text = [
            "lora_te_text_model_encoder_layers_0_mlp_fc1.lora_down.weight": [2, 3],
            "lora_te_text_model_encoder_layers_0_mlp_fc1.lora_up.weight": [4, 2],
        ]
        try write(Self.kohya.merging(text) { $1 }, to: "in/lora.safetensors")
        let (status, line) = try convert("\(folder)/in", "\(folder)/out")
        #expect(status == 0)
        #expect(
            line == "kohya's scripts: text_encoder 1 module of rank 2, scale 1; unet 2 modules of rank 2, 3, scale 1")
        #expect(try adapter("out/unet").file.modules.count == 2)
        #expect(try adapter("out/text_encoder").file.modules.map(\.name) == ["text_model.encoder.layers.0.mlp.fc1"])
        #expect(!FileManager.default.fileExists(atPath: folder + "/out/adapter_model.safetensors"))
    }

    @Test func `MLX's folder is read with its configuration`() throws {
        try write(["m.q_proj.lora_a": [3, 2], "m.q_proj.lora_b": [2, 4]], to: "in/adapters.safetensors")
        // Earlier checkpoints lie beside the last.
        try write(["m.q_proj.lora_a": [3, 2], "m.q_proj.lora_b": [2, 4]], to: "in/0000100_adapters.safetensors")
        try Data(#"{"num_layers":4,"lora_parameters":{"rank":2,"scale":20.0,"dropout":0.0}}"#.utf8)
            .write(to: URL(fileURLWithPath: folder + "/in/adapter_config.json"))
        let (status, text) = try convert("\(folder)/in", "\(folder)/out")
        #expect(status == 0 && text == "MLX: 1 module of rank 2, scale 20")
        let (file, config) = try adapter("out")
        #expect(file[module: "m.q_proj"]?.a?.shape == [2, 3] && file[module: "m.q_proj"]?.a?.type == .f16)
        #expect(config.alpha == 40 && config.rank == 2)
        // The file alone is read with what lies beside it.
        #expect(try convert("\(folder)/in/0000100_adapters.safetensors", "\(folder)/other").status == 0)
    }

    @Test func `what cannot be converted is refused by name, and nothing is written`() throws {
        try write(
            ["lora_unet_odd_thing.lora_down.weight": [2, 3], "lora_unet_odd_thing.lora_up.weight": [4, 2]],
            to: "in/a.safetensors")
        try Data("odd.thing\n".utf8).write(to: URL(fileURLWithPath: folder + "/names.txt"))
        try Data(#"{"error":"no"}"#.utf8).write(to: URL(fileURLWithPath: folder + "/in/b.safetensors"))
        let refusals: [(arguments: [String], sentence: String)] = [
            ([folder + "/in/a.safetensors"], "a.safetensors: lora_unet_odd_thing.lora_down.weight is of a module that"),
            ([folder + "/in/b.safetensors"], "b.safetensors: the file is JSON, such as a server's answer"),
            ([folder + "/in"], "/in holds a.safetensors, b.safetensors; name one of them"),
            ([folder + "/nowhere"], "/nowhere is not there"),
            (
                [folder + "/in/a.safetensors", "--modules", folder + "/in/b.safetensors"],
                "b.safetensors: it names no tensor"
            ),
        ]
        for (arguments, sentence) in refusals {
            let (status, text) = try convert(
                arguments[0], folder + "/out", arguments.dropFirst().first ?? "--alpha",
                arguments.count > 2 ? arguments[2] : "1")
            #expect(status != 0 && text.contains(sentence), "\(text)")
        }
        #expect(!FileManager.default.fileExists(atPath: folder + "/out"))
        let named = try convert(folder + "/in/a.safetensors", folder + "/out", "--modules", folder + "/names.txt")
        #expect(named.status == 0 && named.text == "kohya's scripts: unet, 1 module of rank 2, scale 1")
        #expect(try adapter("out").file.modules.map(\.name) == ["odd.thing"])
    }
}
