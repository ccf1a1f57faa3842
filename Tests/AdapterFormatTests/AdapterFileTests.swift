import Testing

@testable import AdapterFormat

struct AdapterFileTests {
    /// A file of zeros, one tensor per name.
    private func adapter(_ tensors: [String: [Int]], type: ScalarType = .f32) throws -> AdapterFile {
        let layout = try SafetensorsLayout(tensors: tensors.map { .init(name: $0, type: type, shape: $1) })
        return try AdapterFile(
            SafetensorsFile(
                bytes: layout.head + [UInt8](repeating: 0, count: layout.byteCount - layout.head.count)))
    }

    private let shape: AdapterShape

    init() throws {
        shape = try AdapterShape(
            modules: [
                ModuleShape(name: "fc1", inputs: 64, outputs: 200, maximumRank: 60),
                ModuleShape(name: "fc2", inputs: 20, outputs: 10, maximumRank: 8, hasBias: true),
                ModuleShape(name: "embed", kind: .embedding, inputs: 30, outputs: 5, maximumRank: 4),
                ModuleShape(
                    name: "conv", kind: .conv2d(height: 3, width: 2), inputs: 24, outputs: 7, maximumRank: 4),
            ],
            dense: [.init(name: "head.weight", shape: [3, 2])])
    }

    @Test func `tensors are sorted into modules with and without PEFT's prefix`() throws {
        let file = try adapter([
            "base_model.model.fc1.lora_A.weight": [3, 64], "fc1.lora_B.weight": [200, 3],
            "fc2.lora_A.weight": [2, 20], "fc2.lora_B.weight": [10, 2], "fc2.lora_B.bias": [10],
            "base_model.model.embed.lora_embedding_A": [4, 30], "embed.lora_embedding_B": [5, 4],
            "conv.lora_A.weight": [1, 4, 3, 2], "conv.lora_B.weight": [7, 1, 1, 1],
            "base_model.model.head.weight": [3, 2],
        ])
        #expect(file.modules.map(\.name) == ["conv", "embed", "fc1", "fc2"])
        #expect(file.ranks == ["conv": 1, "embed": 4, "fc1": 3, "fc2": 2])
        #expect(file.dense.map(\.name) == ["head.weight"])
        try file.validate(against: shape, ranks: ["fc1": 3])
        #expect(file[module: "conv"]?.shape?.kind == .conv2d(height: 3, width: 2))
        #expect(file[module: "conv"]?.shape?.inputs == 24)
        #expect(file[module: "embed"]?.shape?.kind == .embedding)
        let template = try AdapterShape(template: file)
        #expect(template.maximumRanks == file.ranks)
        #expect(template[module: "fc2"]?.hasBias == true)
    }

    @Test(arguments: try Fixtures.names(in: "peft"))
    func `a folder of PEFT is an adapter of its own shape`(folder: String) throws {
        let file = try AdapterFile(SafetensorsFile(path: Fixtures.file("peft/\(folder)/adapter_model.safetensors")))
        let shape = try AdapterShape(template: file)
        try file.validate(against: shape, ranks: [:])
        #expect(shape.dense.map(\.name) == (folder == "bert_cls_r8" ? ["classifier.bias", "classifier.weight"] : []))
    }

    @Test(arguments: [
        (
            ["fc1.lora_A.weight": [8, 65], "fc1.lora_B.weight": [200, 8]],
            "fc1.lora_A.weight is 8×65; this federation has 8×64"
        ),
        (
            ["fc1.lora_A.weight": [8, 64], "fc1.lora_B.weight": [100, 8]],
            "fc1.lora_B.weight is 100×8; this federation has 200×8"
        ),
        (
            ["fc1.lora_A.weight": [9, 64], "fc1.lora_B.weight": [200, 9]],
            "fc1.lora_A.weight has rank 9; the granted rank is 8"
        ),
        (
            ["fc2.lora_A.weight": [9, 20], "fc2.lora_B.weight": [10, 9], "fc2.lora_B.bias": [10]],
            "fc2.lora_A.weight has rank 9; the granted rank is 8"
        ),
        (["fc1.lora_A.weight": [8, 64]], "fc1.lora_B.weight is missing; fc1 needs it"),
        (["fc1.lora_B.weight": [200, 8]], "fc1.lora_A.weight is missing; fc1 needs it"),
        (
            ["fc2.lora_A.weight": [8, 20], "fc2.lora_B.weight": [10, 8]],
            "fc2.lora_B.bias is missing; fc2 needs it"
        ),
        (
            ["fc2.lora_A.weight": [8, 20], "fc2.lora_B.bias": [8]],
            "fc2.lora_B.weight is missing; fc2 needs it"
        ),
        (
            ["fc1.lora_A.weight": [8, 64], "fc1.lora_B.weight": [200, 8], "fc1.lora_B.bias": [200]],
            "fc1.lora_B.bias came; this federation has no LoRA bias there"
        ),
        (
            ["fc3.lora_A.weight": [8, 64], "fc3.lora_B.weight": [200, 8]],
            "fc3.lora_A.weight came; this federation has no module fc3"
        ),
        (
            ["fc1.lora_A.weight": [8, 64], "fc1.lora_B.weight": [200, 8], "tail.weight": [1]],
            "tail.weight came; this federation has no such tensor"
        ),
        (
            ["fc1.lora_A.weight": [8, 64], "fc1.lora_B.weight": [200, 8], "head.weight": [2, 3]],
            "head.weight is 2×3; this federation has 3×2"
        ),
        (
            ["embed.lora_A.weight": [4, 30], "embed.lora_B.weight": [5, 4]],
            "embed.lora_A.weight came; this federation has embed.lora_embedding_A there"
        ),
        (
            ["conv.lora_A.weight": [4, 24], "conv.lora_B.weight": [7, 4]],
            "conv.lora_A.weight is 4×24; this federation has 4×4×3×2"
        ),
    ])
    func `an update that does not fit is refused in words to act on`(tensors: [String: [Int]], reason: String) throws {
        let file = try adapter(tensors)
        let error = #expect(throws: AdapterError.self) { try file.validate(against: shape, ranks: ["fc1": 8]) }
        #expect(error?.description == reason)
        #expect(error?.tensor.map { reason.contains($0) } == true)
    }

    @Test func `a frozen factor may stay away where the round does not need it`() throws {
        let onlyB = try adapter(["fc1.lora_B.weight": [200, 8]])
        try onlyB.validate(against: shape, ranks: [:], needed: .b)
        #expect(onlyB.ranks == ["fc1": 8])
        let onlyA = try adapter(["fc2.lora_A.weight": [3, 20]])
        try onlyA.validate(against: shape, ranks: [:], needed: .a)
        #expect(throws: AdapterError.missingFactor(tensor: "fc2.lora_B.weight", module: "fc2")) {
            try onlyA.validate(against: shape, ranks: [:], needed: .b)
        }
    }

    @Test func `values that are not finite are counted and named`() throws {
        let layout = try SafetensorsLayout(tensors: [
            .init(name: "fc1.lora_A.weight", type: .bf16, shape: [1, 64]),
            .init(name: "fc1.lora_B.weight", type: .bf16, shape: [200, 1]),
        ])
        var data = [UInt8](repeating: 0, count: layout.byteCount - layout.head.count)
        for index in [131, 133, 527] { data[index] = 0x7F }
        for index in [130, 132, 526] { data[index] = 0x80 }
        let file = try AdapterFile(SafetensorsFile(bytes: layout.head + data))
        let error = #expect(throws: AdapterError.self) { try file.validate(against: shape, ranks: [:]) }
        #expect(error?.description == "fc1.lora_B.weight holds 3 values that are not finite")
    }
}
