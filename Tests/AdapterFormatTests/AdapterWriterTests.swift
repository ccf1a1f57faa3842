import Testing

@testable import AdapterFormat

struct AdapterWriterTests {
    private let shape: AdapterShape
    private let source: StoredAdapter

    /// An adapter in memory, with components that tell where they belong.
    private struct StoredAdapter: AdapterSource {
        func factors(of module: ModuleShape, rank: Int) -> ModuleFactors? {
            let values = { (count: Int, start: Float) in (0..<count).map { start + Float($0) } }
            return ModuleFactors(
                rank: rank, inputs: module.inputs, outputs: module.outputs, a: values(rank * module.inputs, 1),
                b: values(rank * module.outputs, 100), bias: module.hasBias ? values(module.outputs, 7) : nil)
        }

        func values(of tensor: AdapterShape.Dense) -> [Float]? {
            (0..<tensor.elementCount).map { Float($0) }
        }
    }

    init() throws {
        shape = try AdapterShape(
            modules: [
                ModuleShape(name: "fc1", inputs: 3, outputs: 2, maximumRank: 4, hasBias: true),
                ModuleShape(name: "conv", kind: .conv2d(height: 1, width: 3), inputs: 6, outputs: 2, maximumRank: 2),
                ModuleShape(name: "emb", kind: .embedding, inputs: 5, outputs: 3, maximumRank: 2),
            ], dense: [.init(name: "head.weight", shape: [2, 2])])
        source = StoredAdapter()
    }

    private func written(
        ranks: [String: Int], scaling: Scaling?, type: ScalarType = .f32
    ) throws -> SafetensorsFile {
        let folder = try TemporaryFolder()
        return try SafetensorsFile(
            bytes: folder.file("adapter_model.safetensors") { descriptor in
                try AdapterWriter(shape: shape, ranks: ranks, scaling: scaling, type: type, descriptor: descriptor)
                    .take(source)
            })
    }

    @Test func `a cut holds the first components, B turned back and scaled for its rank`() throws {
        let file = try written(ranks: ["fc1": 2, "conv": 1, "emb": 1], scaling: .lora(alpha: 8))
        #expect(
            file.tensors.map(\.name) == [
                "base_model.model.conv.lora_A.weight", "base_model.model.conv.lora_B.weight",
                "base_model.model.emb.lora_embedding_A", "base_model.model.emb.lora_embedding_B",
                "base_model.model.fc1.lora_A.weight", "base_model.model.fc1.lora_B.bias",
                "base_model.model.fc1.lora_B.weight", "base_model.model.head.weight",
            ])
        #expect(file["base_model.model.fc1.lora_A.weight"]?.floats() == [1, 2, 3, 4, 5, 6])
        // s_R / s_r = (8 / 4) / (8 / 2)
        #expect(file["base_model.model.fc1.lora_B.weight"]?.floats() == [50, 51, 50.5, 51.5])
        #expect(file["base_model.model.fc1.lora_B.bias"]?.floats() == [3.5, 4])
        #expect(file["base_model.model.conv.lora_A.weight"]?.shape == [1, 2, 1, 3])
        #expect(file["base_model.model.conv.lora_B.weight"]?.shape == [2, 1, 1, 1])
        #expect(file["base_model.model.emb.lora_embedding_B"]?.floats() == [50, 50.5, 51])
        #expect(file["base_model.model.head.weight"]?.floats() == [0, 1, 2, 3])
        #expect(file.metadata == ["format": "pt"])
    }

    @Test(arguments: [Scaling.constant(2), .lora(alpha: 8), .rslora(alpha: 8)])
    func `the product at the cut's own scale is the stored one's first components at full scale`(
        scaling: Scaling
    ) throws {
        let ranks = ["fc1": 3, "conv": 1, "emb": 2]
        let cut = try AdapterFile(written(ranks: ranks, scaling: scaling))
        for module in shape.modules {
            let rank = try #require(ranks[module.name])
            let stored = try #require(source.factors(of: module, rank: module.maximumRank))
            let sent = try #require(cut.factors(of: module, rank: rank))
            let scale = scaling.scale(atRank: rank)
            let fullScale = scaling.scale(atRank: module.maximumRank)
            for index in 0..<(rank * module.outputs) {
                #expect(abs(scale * Double(sent.b[index]) - fullScale * Double(stored.b[index])) < 1e-4)
            }
            #expect(sent.a == Array(stored.a[..<(rank * module.inputs)]))
        }
    }

    @Test(arguments: [ScalarType.f32, .f16, .bf16])
    func `an adapter that is written is read back the same, and written again to the same bytes`(
        type: ScalarType
    ) throws {
        let ranks = ["fc1": 4, "conv": 2, "emb": 2]
        let folder = try TemporaryFolder()
        func bytes(_ name: String, _ source: any AdapterSource) throws -> [UInt8] {
            try folder.file(name) { descriptor in
                try AdapterWriter(shape: shape, ranks: ranks, type: type, descriptor: descriptor).take(source)
            }
        }
        let first = try bytes("first", source)
        let read = try AdapterFile(SafetensorsFile(bytes: first))
        try read.validate(against: shape, ranks: [:])
        for module in shape.modules {
            #expect(read.factors(of: module, rank: 4) == source.factors(of: module, rank: module.maximumRank))
        }
        #expect(try bytes("second", read) == first)
        #expect(
            try SafetensorsLayout(shape: shape, ranks: ranks, type: type).byteCount == first.count)
    }

    @Test func `a source that lacks a module, a tensor or components is refused`() throws {
        struct Partial: AdapterSource {
            let whole: StoredAdapter
            let lacking: String
            func factors(of module: ModuleShape, rank: Int) -> ModuleFactors? {
                switch lacking {
                case module.name: nil
                case "components": whole.factors(of: module, rank: 1)
                default: whole.factors(of: module, rank: rank)
                }
            }
            func values(of tensor: AdapterShape.Dense) -> [Float]? {
                lacking == tensor.name ? nil : whole.values(of: tensor)
            }
        }
        for (lacking, error) in [
            ("emb", SafetensorsWriteError.missing("base_model.model.emb.lora_embedding_A")),
            ("head.weight", .missing("base_model.model.head.weight")),
            ("components", .rank(module: "conv", expected: 2, found: 1)),
        ] {
            let folder = try TemporaryFolder()
            #expect(throws: error) {
                _ = try folder.file("partial") { descriptor in
                    try AdapterWriter(shape: shape, descriptor: descriptor)
                        .take(Partial(whole: source, lacking: lacking))
                }
            }
        }
    }
}
