import Testing

@testable import AdapterFormat

struct SafetensorsFileTests {
    @Test func `a file that is not there is refused with the system's reason`() {
        #expect(throws: SafetensorsError.unreadable(SystemError(operation: "open /nowhere/x", code: 2))) {
            try SafetensorsFile(path: "/nowhere/x")
        }
    }

    @Test func `the limits on header and tensors are the caller's`() throws {
        let bytes = try Fixtures.bytes("peft/llama_r4/adapter_model.safetensors")
        #expect(throws: SafetensorsError.headerTooLong(length: 1016, limit: 1015)) {
            try SafetensorsFile(bytes: bytes, limits: .init(headerBytes: 1015))
        }
        #expect(throws: SafetensorsError.tooManyTensors(limit: 7)) {
            try SafetensorsFile(bytes: bytes, limits: .init(tensors: 7))
        }
        #expect(try SafetensorsFile(bytes: bytes, limits: .init(headerBytes: 1016, tensors: 8)).tensors.count == 8)
    }

    @Test func `names are unescaped, scalars and empty tensors are lent`() throws {
        let file = try SafetensorsFile(path: Fixtures.file("mixed.safetensors"))
        #expect(file.metadata == ["note \"1\"": "x\ty"])
        #expect(file["c\"é\n\\\u{01}"]?.type == .bf16)
        #expect(file["s"]?.floats() == [1])
        #expect(file["e"]?.shape == [0, 3])
        #expect(file["e"]?.floats() == [])
        #expect(file["x"] == nil)
    }

    @Test func `data of a header without padding is read at odd addresses`() throws {
        let values: [Float] = [1.5, -2.25]
        let file = try SafetensorsFile(
            bytes: safetensors(
                #"{"ab":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}} "#,
                data: values.flatMap { withUnsafeBytes(of: $0) { Array($0) } }))
        #expect(file["ab"]?.floats() == values)
        #expect(file["ab"]?.notFiniteCount() == 0)
    }

    @Test func `a tensor read from its file has the bytes that it lends`() throws {
        let file = try SafetensorsFile(path: Fixtures.file("peft/llama_r4/adapter_model.safetensors"))
        for tensor in file.tensors {
            let read = try #require(tensor.reader)
            var bytes = [UInt8](repeating: 0, count: tensor.byteCount / 2)
            bytes.withUnsafeMutableBytes { read(tensor.byteCount - $0.count, $0) }
            #expect(bytes == tensor.withBytes { Array($0.suffix(bytes.count)) })
        }
        #expect(
            try SafetensorsFile(bytes: Fixtures.bytes("peft/llama_r4/adapter_model.safetensors")).tensors.allSatisfy {
                $0.reader == nil
            })
    }
}
