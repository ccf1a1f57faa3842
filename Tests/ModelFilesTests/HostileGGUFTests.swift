import AdapterFormat
import Testing

@testable import ModelFiles

/// A GGUF file to be written wrong: every number of its header can be set.
private struct Draft {
    struct Key {
        var name: [UInt8]
        var type: UInt32
        var value: [UInt8]

        init(_ name: String, type: UInt32, _ value: [UInt8]) {
            (self.name, self.type, self.value) = (Array(name.utf8), type, value)
        }
    }

    struct Tensor {
        var name = "t"
        /// The fastest side first.
        var sides: [UInt64] = [4]
        var sideCount: UInt32?
        var type: UInt32 = 0
        var offset: UInt64 = 0
    }

    var magic = Array("GGUF".utf8)
    var version: UInt32 = 3
    var tensorCount: UInt64?
    var keyCount: UInt64?
    var keys: [Key] = []
    var tensors = [Tensor()]
    var data = [UInt8](repeating: 0, count: 16)

    static func number<Number: FixedWidthInteger>(_ value: Number) -> [UInt8] {
        withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }

    static func text(_ bytes: [UInt8]) -> [UInt8] { number(UInt64(bytes.count)) + bytes }

    var bytes: [UInt8] {
        var bytes = magic + Self.number(version)
        bytes += Self.number(tensorCount ?? UInt64(tensors.count)) + Self.number(keyCount ?? UInt64(keys.count))
        for key in keys { bytes += Self.text(key.name) + Self.number(key.type) + key.value }
        for tensor in tensors {
            bytes += Self.text(Array(tensor.name.utf8)) + Self.number(tensor.sideCount ?? UInt32(tensor.sides.count))
            for side in tensor.sides { bytes += Self.number(side) }
            bytes += Self.number(tensor.type) + Self.number(tensor.offset)
        }
        return bytes + Array(repeating: 0, count: (32 - bytes.count % 32) % 32) + data
    }
}

/// Hostile GGUF files: one for each refusal of the reader.
@Suite struct HostileGGUFTests {
    private static func refusal(_ bytes: [UInt8]) -> GGUFError? {
        let storage = bytes.withUnsafeBytes { TensorStorage(copying: $0) }
        do throws(ModelFileError) {
            _ = try GGUFFile(storage, path: "m.gguf")
            return nil
        } catch {
            guard case .gguf("m.gguf", let reason) = error else { return nil }
            return reason
        }
    }

    private static func refusal(_ change: (inout Draft) -> Void) -> GGUFError? {
        var draft = Draft()
        change(&draft)
        return refusal(draft.bytes)
    }

    @Test func `the file that the others are made of is sound`() {
        #expect(Self.refusal { _ in } == nil)
    }

    @Test func `what begins wrong is refused`() {
        #expect(Self.refusal { $0.magic = Array("GGML".utf8) } == .magic(found: Array("GGML".utf8)))
        #expect(Self.refusal { $0.version = 1 } == .version(found: 1))
        #expect(Self.refusal { $0.version = 4 } == .version(found: 4))
        #expect(Self.refusal { $0.version = 0 } == .version(found: 0))
        #expect(Self.refusal { $0.version = 3 << 24 } == .bigEndian)
        #expect(Self.refusal(Array("GGUF".utf8)) == .cut(offset: 4, expected: "the version"))
        #expect(
            Self.refusal { $0.tensorCount = 1 << 40 } == .tooMany("tensors", found: 1 << 40, limit: 65_536))
        #expect(Self.refusal { $0.keyCount = .max } == .tooMany("keys", found: .max, limit: 65_536))
    }

    @Test func `every length that ends within the header is refused`() {
        var draft = Draft()
        draft.keys = [.init("a", type: 9, Draft.number(UInt32(8)) + Draft.number(UInt64(1)) + Draft.text([0x62]))]
        let bytes = draft.bytes
        for count in 4..<bytes.count - draft.data.count - 31 {
            guard case .cut = Self.refusal(Array(bytes.prefix(count))) else {
                Issue.record("\(count) bytes: \(String(describing: Self.refusal(Array(bytes.prefix(count)))))")
                continue
            }
        }
    }

    @Test func `keys and values that are none are refused`() {
        func key(_ key: Draft.Key) -> GGUFError? { Self.refusal { $0.keys = [key] } }
        #expect(key(.init("", type: 4, Draft.number(UInt32(1)))) == .emptyName(offset: 32))
        var broken = Draft.Key("a", type: 4, Draft.number(UInt32(1)))
        broken.name = [0xFF]
        #expect(key(broken) == .notUTF8(offset: 32))
        #expect(key(.init("a", type: 8, Draft.text([0xC0]))) == .notUTF8(offset: 45))
        #expect(key(.init("a", type: 13, [])) == .valueType(key: "a", found: 13))
        #expect(
            key(.init("a", type: 9, Draft.number(UInt32(9)) + Draft.number(UInt64(0)))) == .nestedArray(key: "a"))
        #expect(key(.init("a", type: 7, [2])) == .truth(offset: 37, found: 2))
        let long = String(repeating: "k", count: 65_536)
        #expect(
            key(.init(long, type: 7, [1])) == .nameTooLong(offset: 32, bytes: 65_536, limit: 65_535))
        // An array that is longer than the file costs no memory.
        guard case .cut = key(.init("a", type: 9, Draft.number(UInt32(4)) + Draft.number(UInt64.max))) else {
            Issue.record("a long array was taken")
            return
        }
        let twice = Draft.Key("a", type: 7, [1])
        #expect(Self.refusal { $0.keys = [twice, twice] } == .duplicateKey("a"))
        #expect(
            Self.refusal { $0.keys = [.init("general.alignment", type: 4, Draft.number(UInt32(12)))] }
                == .alignment(found: "12"))
    }

    @Test func `tensors that cannot be are refused`() {
        func tensor(_ tensor: Draft.Tensor) -> GGUFError? { Self.refusal { $0.tensors = [tensor] } }
        #expect(tensor(.init(sides: [4], sideCount: 0)) == .sides(tensor: "t", found: 0))
        #expect(tensor(.init(sides: [1, 1, 1, 1, 1])) == .sides(tensor: "t", found: 5))
        #expect(tensor(.init(sides: [0])) == .emptySide(tensor: "t"))
        #expect(tensor(.init(sides: [.max])) == .shapeOverflow(tensor: "t"))
        #expect(tensor(.init(sides: [1 << 32, 1 << 32])) == .shapeOverflow(tensor: "t"))
        #expect(tensor(.init(sides: [33], type: 2)) == .partialBlock(tensor: "t", columns: 33, type: "Q4_0", block: 32))
        guard case .unsupportedType("t", _) = tensor(.init(type: 99)) else {
            Issue.record("a type that does not exist was taken")
            return
        }
        #expect(tensor(.init(offset: 4)) == .unaligned(tensor: "t", offset: 4, alignment: 32))
        #expect(tensor(.init(sides: [8])) == .beyondFile(tensor: "t", end: 32, available: 16))
        #expect(
            tensor(.init(offset: .max - 31)) == .beyondFile(tensor: "t", end: .max, available: 0))
        #expect(tensor(.init(offset: 32)) == .beyondFile(tensor: "t", end: 48, available: 16))
        let long = String(repeating: "n", count: 65)
        guard case .nameTooLong(_, bytes: 65, limit: 64) = tensor(.init(name: long)) else {
            Issue.record("a long name was taken")
            return
        }
    }

    @Test func `tensors that do not cover the data are refused`() {
        #expect(Self.refusal { $0.tensors = [.init(), .init()] } == .duplicateTensor("t"))
        #expect(
            Self.refusal { $0.tensors = [.init(), .init(name: "u")] } == .overlap(tensor: "u", other: "t"))
        #expect(
            Self.refusal {
                $0.tensors = [.init(), .init(name: "u", offset: 64)]
                $0.data = Array(repeating: 0, count: 80)
            } == .gap(before: "u", bytes: 48))
        #expect(Self.refusal { $0.data = Array(repeating: 0, count: 64) } == .trailingBytes(48))
    }

    @Test func `metadata that says something else than a model are refused by key`() throws {
        let sound = try Fixtures.bytes("llama.gguf")
        func refusal(_ text: String, _ other: String) -> String {
            var bytes = sound
            let (old, new) = (Array(text.utf8), Array(other.utf8))
            guard old.count == new.count, let place = bytes.firstRange(of: old) else { return "no such text" }
            bytes.replaceSubrange(place, with: new)
            let storage = bytes.withUnsafeBytes { TensorStorage(copying: $0) }
            do throws(ModelFileError) {
                let file = try GGUFFile(storage, path: "m.gguf")
                _ = try file.tensors(of: ModelConfiguration(file))
                return "taken"
            } catch {
                return "\(error)"
            }
        }
        #expect(refusal("llama.block_count", "llama.block_coumt").contains("llama.block_count"))
        #expect(refusal("llama.embedding_length", "llama.embedding_lemgth").contains("llama.embedding_length"))
        #expect(refusal("blk.0.attn_q.weight", "blk.0.attn_z.weight").contains("blk.0.attn_q.weight"))
        #expect(refusal("token_embd.weight", "tokem_embd.weight").contains("token_embd.weight"))
        #expect(refusal("output_norm.weight", "output_morm.weight").contains("output_norm.weight"))
    }
}

/// Hostile documents of a folder: one for each refusal of the readers of `config.json` and of the index.
@Suite struct HostileFolderTests {
    private func refusal(_ fixture: String, _ name: String, _ content: String) throws -> String {
        let folder = try TemporaryFolder()
        try folder.copy(fixture)
        try folder.write(name, Array(content.utf8))
        do throws(ModelFileError) {
            _ = try ModelFile(path: folder.path)
            return "taken"
        } catch {
            return "\(error)"
        }
    }

    /// A change of the fixture's `config.json`, and what the refusal names.
    @Test(arguments: [
        (#""hidden_size": 16"#, #""hidden_size": 0"#, "hidden"),
        (#""hidden_size": 16"#, #""hidden_size": 1.5"#, "hidden_size"),
        (#""hidden_size": 16"#, #""hidden_size": "16""#, "hidden_size"),
        (#""hidden_size": 16"#, #""hidden_size": 99999999999999999999"#, "hidden_size"),
        (#""model_type": "llama""#, #""model_type": "t5""#, "model_type"),
        (#""model_type": "llama""#, #""model_type": 7"#, "model_type"),
    ])
    func `a configuration is refused with the key`(old: String, new: String, named: String) throws {
        let config = String(decoding: try Fixtures.bytes("llama/config.json"), as: UTF8.self)
        let hidden = try #require(config.firstMatch(of: /"hidden_size": (\d+)/)).output.0
        let changed = config.replacing(old.contains("hidden") ? String(hidden) : old, with: new)
        #expect(changed != config)
        let said = try refusal("llama", "config.json", changed)
        #expect(said.contains(named), "\(said)")
    }

    @Test func `documents that are no JSON, and indices that lead elsewhere, are refused`() throws {
        #expect(try refusal("llama", "config.json", "{").contains("not sound JSON"))
        let folder = try TemporaryFolder()
        try folder.write("config.json", try Fixtures.bytes("llama/config.json"))
        func index(_ content: String) throws -> String {
            try folder.write("model.safetensors.index.json", Array(content.utf8))
            do throws(ModelFileError) {
                _ = try ModelFile(path: folder.path)
                return "taken"
            } catch {
                return "\(error)"
            }
        }
        #expect(try index("{}").contains("weight_map"))
        #expect(try index(#"{"weight_map": {}}"#).contains("names no tensor"))
        #expect(try index(#"{"weight_map": {"a": 1}}"#).contains("file name"))
        #expect(try index(#"{"weight_map": {"a": "../x.safetensors"}}"#).contains("in the folder"))
        #expect(try index(#"{"weight_map": {"a": "x.bin"}}"#).contains(".safetensors"))
        #expect(try index(#"{"weight_map": {"a": "x.safetensors"}}"#).contains("not in the folder"))
    }
}
