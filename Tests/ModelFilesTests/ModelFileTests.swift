import AdapterFormat
import Foundation
import Testing

@testable import ModelFiles

struct ModelFileTests {
    /// What transformers computed for a model, beside its folder.
    private struct Rotary: Decodable {
        let frequencies: [Float]
        let magnitude: Float
    }

    /// The tensors of a folder as safetensors has them.
    private func stored(_ name: String) throws -> [String: TensorView] {
        var tensors: [String: TensorView] = [:]
        for file in try FileManager.default.contentsOfDirectory(atPath: Fixtures.path(name))
        where file.hasSuffix(".safetensors") {
            for tensor in try SafetensorsFile(path: Fixtures.path(name + "/" + file)).tensors {
                tensors[tensor.name] = tensor
            }
        }
        return tensors
    }

    private func transposed(_ values: [Float], rows: Int) -> [Float] {
        let columns = values.count / rows
        return (0..<values.count).map { values[($0 % rows) * columns + $0 / rows] }
    }

    @Test(arguments: Fixtures.models)
    func `a folder has all tensors with outputs as rows`(name: String) throws {
        let model = try ModelFile(path: Fixtures.path(name))
        let stored = try stored(name)
        #expect(model.configuration.tensors.count == stored.count)
        for (name, shape) in model.configuration.tensors {
            let tensor = try #require(model.tensor(name))
            let original = try #require(stored[name])
            #expect(tensor.shape == shape)
            let isConv1D = ["c_attn.weight", "c_fc.weight", "c_proj.weight"].contains(where: name.hasSuffix)
            #expect(
                tensor.floats()
                    == (isConv1D ? transposed(original.floats(), rows: original.shape[0]) : original.floats()),
                "\(name)")
            #expect(tensor.notFiniteCount() == 0)
        }
    }

    @Test(arguments: Fixtures.models)
    func `a GGUF file has the numbers of the folder that it was made of`(name: String) throws {
        let folder = try ModelFile(path: Fixtures.path(name))
        let file = try ModelFile(path: Fixtures.path(name + ".gguf"))
        var (one, other) = (folder.configuration, file.configuration)
        let pairs = zip(one.rotary?.frequencies ?? [], other.rotary?.frequencies ?? [])
        #expect(pairs.allSatisfy { abs($0 - $1) <= 1e-6 * $0 } && one.rotary?.base == other.rotary?.base)
        (one.rotary, other.rotary) = (nil, nil)
        #expect(one == other)
        for (name, _) in folder.configuration.tensors {
            #expect(file.tensor(name)?.floats() == folder.tensor(name)?.floats(), "\(name)")
        }
    }

    @Test(arguments: ["llama", "llama3", "mistral", "qwen2", "qwen3"])
    func `rotary frequencies are those of transformers`(name: String) throws {
        let expected = try JSONDecoder().decode(
            Rotary.self, from: Data(contentsOf: URL(filePath: Fixtures.path(name + "/rotary.json"))))
        for path in [name, name + ".gguf"] {
            let rotary = try #require(try ModelFile(path: Fixtures.path(path)).configuration.rotary)
            #expect(rotary.frequencies.count == expected.frequencies.count)
            for (found, frequency) in zip(rotary.frequencies, expected.frequencies) {
                #expect(abs(found - frequency) <= 1e-6 * frequency)
            }
            #expect(abs(rotary.magnitude - expected.magnitude) <= 1e-6)
        }
    }

    @Test(arguments: ["llama.gguf", "gpt2", "qwen2"])
    func `some rows are those of the whole tensor`(path: String) throws {
        let model = try ModelFile(path: Fixtures.path(path))
        for (name, shape) in model.configuration.tensors where shape.count == 2 {
            let tensor = try #require(model.tensor(name))
            let (all, columns) = (tensor.floats(), tensor.columns)
            for rows in [0..<1, 3..<tensor.rows, 5..<7, tensor.rows..<tensor.rows] {
                let some = [Float](unsafeUninitializedCapacity: rows.count * columns) { buffer, count in
                    if let base = buffer.baseAddress { tensor.read(rows: rows, into: base) }
                    count = rows.count * columns
                }
                #expect(some == Array(all[rows.lowerBound * columns..<rows.upperBound * columns]))
            }
        }
    }

    @Test func `the head of a tied model is its embedding`() throws {
        for (path, embedding) in [("llama", "model.embed_tokens.weight"), ("gpt2.gguf", "transformer.wte.weight")] {
            let model = try ModelFile(path: Fixtures.path(path))
            #expect(model.configuration.isTied)
            #expect(model.tensor("lm_head.weight")?.name == embedding)
            #expect(model.tensor("lm_head.bias") == nil)
        }
        #expect(try ModelFile(path: Fixtures.path("qwen3")).tensor("lm_head.weight")?.name == "lm_head.weight")
    }

    @Test func `a model that was saved without its head is read by the same names`() throws {
        let folder = try TemporaryFolder()
        try folder.copy("llama")
        let old = try Fixtures.bytes("llama/model.safetensors")
        // The same length, so that the header stays as long: "model." goes, and spaces come after it.
        let text = String(decoding: old, as: UTF8.self)
        #expect(text.contains("\"model."))
        var bytes = old
        let length = 8 + Int(old[0]) + Int(old[1]) << 8
        let header = String(decoding: old[8..<length], as: UTF8.self).replacing("\"model.", with: "\"")
        bytes.replaceSubrange(
            8..<length, with: header.utf8.map { $0 } + Array(repeating: 0x20, count: length - 8 - header.utf8.count))
        try folder.write("model.safetensors", bytes)
        let (model, original) = (try ModelFile(path: folder.path), try ModelFile(path: Fixtures.path("llama")))
        for (name, _) in original.configuration.tensors {
            #expect(model.tensor(name)?.floats() == original.tensor(name)?.floats())
        }
    }

    @Test func `a file that is written to or cut short after it was opened is noticed`() throws {
        let folder = try TemporaryFolder()
        let bytes = try Fixtures.bytes("llama.gguf")
        let path = try folder.write("model.gguf", bytes)
        let model = try ModelFile(path: path)
        try model.checkUnchanged()
        let handle = try #require(FileHandle(forWritingAtPath: path))
        try handle.truncate(atOffset: 4096)
        try handle.close()
        #expect(
            throws: ModelFileError.changed(file: path, reason: "it had \(bytes.count) bytes, and has 4096")
        ) { try model.checkUnchanged() }
    }
}
