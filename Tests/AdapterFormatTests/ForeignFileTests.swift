import AdapterFormat
import Testing

/// What people bring that is no adapter of PEFT's, with the sentence that they get.
@Suite struct ForeignFileTests {
    private static func text(_ text: String) -> [UInt8] { Array(text.utf8) + [UInt8](repeating: 0x20, count: 64) }

    @Test(
        arguments: [
            ([0x50, 0x4B, 0x03, 0x04] + text(""), "a ZIP archive, as torch.save and numpy.savez write it"),
            ([0x80, 0x02, 0x8A, 0x0A] + text("l"), "a pickle, as old versions of torch write it"),
            (text("GGUF\u{3}\0\0\0"), "a GGUF file"),
            (text("version https://git-lfs.github.com/spec/v1\noid sha256:00"), "a Git LFS pointer"),
            (text("<!DOCTYPE html><html>"), "an HTML or XML page"),
            (text(#"{"error": "not found"}"#), "a JSON text"), ([0x1F, 0x8B, 0x08, 0x00] + text(""), "a gzip archive"),
        ] as [([UInt8], String)])
    func `a file of another format is called by its name`(bytes: [UInt8], what: String) {
        let error = #expect(throws: SafetensorsError.self) { try SafetensorsFile(bytes: bytes) }
        #expect(error.map { "\($0)".hasPrefix("the file is \(what)") } == true, "\(error.map { "\($0)" } ?? "")")
    }

    @Test(arguments: [
        "m.q_proj.lora_A.default.weight", "m.q_proj.lora_a", "lora_unet_down_blocks_0_to_q.lora_down.weight",
        "unet.m.attn1.processor.to_q_lora.down.weight", "text_encoder.q_proj.lora_linear_layer.lora.up.weight",
    ])
    func `a factor under another program's name is refused by it, with the name that is expected`(
        name: String
    ) throws {
        let layout = try SafetensorsLayout(tensors: [.init(name: name, type: .f32, shape: [1, 1])])
        let file = try SafetensorsFile(bytes: layout.head + [0, 0, 0, 0])
        let error = #expect(throws: AdapterError.self) { try AdapterFile(file) }
        #expect(error?.tensor == name)
        #expect(error.map { "\($0)".contains("base_model.model.MODULE.lora_A.weight") } == true)
    }
}
