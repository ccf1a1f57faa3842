import AdapterFormat
import Testing

struct SafetensorsWriterTests {
    /// Rewrites a file through the layout and writer.
    private func rewritten(_ bytes: [UInt8]) throws -> [UInt8] {
        let file = try SafetensorsFile(bytes: bytes)
        let layout = try SafetensorsLayout(
            tensors: file.tensors.map { .init(name: $0.name, type: $0.type, shape: $0.shape) },
            metadata: file.metadata)
        let folder = try TemporaryFolder()
        return try folder.file("copy.safetensors") { descriptor in
            var writer = try SafetensorsWriter(layout: layout, descriptor: descriptor)
            for tensor in file.tensors.reversed() { try writer.write(tensor.floats(), to: tensor.name) }
            try writer.finish()
        }
    }

    @Test(arguments: try Fixtures.names(in: "peft"))
    func `a file of PEFT is written back byte for byte`(folder: String) throws {
        let bytes = try Fixtures.bytes("peft/\(folder)/adapter_model.safetensors")
        #expect(try rewritten(bytes) == bytes)
    }

    @Test func `types, names and metadata are laid out as the safetensors library does`() throws {
        let bytes = try Fixtures.bytes("mixed.safetensors")
        #expect(try rewritten(bytes) == bytes)
    }

    @Test func `a tensor that is written twice, not declared, of another length or left out is refused`() throws {
        let layout = try SafetensorsLayout(tensors: [
            .init(name: "a", type: .f32, shape: [2]), .init(name: "b", type: .f16, shape: [1]),
        ])
        let folder = try TemporaryFolder()
        _ = try folder.file("short.safetensors") { descriptor in
            var writer = try SafetensorsWriter(layout: layout, descriptor: descriptor)
            #expect(throws: SafetensorsWriteError.undeclared("c")) { try writer.write([1], to: "c") }
            try writer.write([1, 2], to: "a")
            #expect(throws: SafetensorsWriteError.undeclared("a")) { try writer.write([1, 2], to: "a") }
        }
        _ = try folder.file("missing.safetensors") { descriptor in
            #expect(throws: SafetensorsWriteError.missing("b")) {
                var writer = try SafetensorsWriter(layout: layout, descriptor: descriptor)
                try writer.write([1, 2], to: "a")
                try writer.finish()
            }
        }
        _ = try folder.file("length.safetensors") { descriptor in
            var writer = try SafetensorsWriter(layout: layout, descriptor: descriptor)
            #expect(throws: SafetensorsWriteError.length("a", expected: 2, found: 3)) {
                try writer.write([1, 2, 3], to: "a")
            }
        }
    }

    @Test func `a layout refuses repeated names and sizes beyond all memory`() {
        #expect(throws: SafetensorsWriteError.duplicate("a")) {
            try SafetensorsLayout(tensors: [
                .init(name: "a", type: .f32, shape: [2]), .init(name: "a", type: .f16, shape: [1]),
            ])
        }
        #expect(throws: SafetensorsWriteError.tooLarge("a")) {
            try SafetensorsLayout(tensors: [.init(name: "a", type: .f32, shape: [.max, 2])])
        }
    }
}
