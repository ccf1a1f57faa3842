import AdapterFormat
import Testing

struct AdapterConfigTests {
    private func config(_ json: String) throws -> AdapterConfig { try AdapterConfig(json: Array(json.utf8)) }

    @Test(arguments: try Fixtures.names(in: "peft"))
    func `a folder of PEFT gives the ranks that its tensors have`(folder: String) throws {
        let config = try AdapterConfig(json: try Fixtures.bytes("peft/\(folder)/adapter_config.json"))
        let file = try AdapterFile(SafetensorsFile(path: Fixtures.file("peft/\(folder)/adapter_model.safetensors")))
        #expect(!file.modules.isEmpty)
        for module in file.modules {
            #expect(config.rank(of: module.name) == module.rank, "\(module.name)")
        }
    }

    @Test(arguments: [
        ("bert_cls_r8", "bert.encoder.layer.0.attention.self.query", 2.0),
        ("cnn_conv_r4", "conv2", 2),
        ("llama_r4", "model.layers.1.self_attn.v_proj", 2),
        ("llama_r16", "model.layers.1.self_attn.v_proj", 2),
        ("llama_pattern", "model.layers.0.self_attn.q_proj", 2),
        ("llama_pattern", "model.layers.1.self_attn.q_proj", 4),
        ("llama_pattern", "model.layers.1.self_attn.v_proj", 1),
    ])
    func `a folder of PEFT gives each module its scale`(folder: String, module: String, scale: Double) throws {
        let config = try AdapterConfig(json: try Fixtures.bytes("peft/\(folder)/adapter_config.json"))
        #expect(config.scale(of: module) == scale)
    }

    @Test func `rank-stabilised scaling divides by the root of the rank`() throws {
        let config = try config(#"{"r": 16, "lora_alpha": 8.5, "use_rslora": true}"#)
        #expect(config.scale(of: "fc1") == 8.5 / 4)
    }

    @Test func `keys that are null or missing take PEFT's defaults`() throws {
        let config = try config(#"{"r": null, "rank_pattern": null, "novelty": {"r": [1, "x", null, true]}}"#)
        #expect(config.further == ["novelty": #"{"r":[1,"x",null,true]}"#])
        #expect(config.rank == 8 && config.alpha == 8)
    }

    @Test func `the first pattern that stands for a module counts`() throws {
        let config = try config(#"{"rank_pattern": {"q_proj": 2, "layers.0.q_proj": 3}}"#)
        #expect(config.rank(of: "layers.0.q_proj") == 2)
    }

    @Test func `a configuration of a megabyte is refused unread`() {
        let limit = AdapterConfig.byteLimit
        #expect(throws: AdapterConfigError.tooLong(bytes: limit + 1, limit: limit)) {
            try AdapterConfig(json: [UInt8](repeating: 0x20, count: limit + 1))
        }
    }

    @Test(arguments: [Scaling.constant(0.75), .lora(alpha: 16), .rslora(alpha: 12.5)])
    func `a written configuration gives every module its rank and scale`(scaling: Scaling) throws {
        let shape = try AdapterShape(
            modules: [
                ModuleShape(name: "fc1", inputs: 4, outputs: 3, maximumRank: 60),
                ModuleShape(name: "block.fc1", inputs: 4, outputs: 3, maximumRank: 100),
                ModuleShape(name: "block.fc2", inputs: 4, outputs: 3, maximumRank: 60),
                ModuleShape(name: "odd[name]*", inputs: 4, outputs: 3, maximumRank: 2),
            ],
            dense: [
                .init(name: "head.weight", shape: [2, 3]), .init(name: "head.bias", shape: [2]),
                .init(name: "fc1.lora_magnitude_vector", shape: [3]),
            ])
        let ranks = shape.maximumRanks.mapValues { max(1, $0 / 2) }
        let written = AdapterConfig(shape: shape, ranks: ranks, scaling: scaling, baseModel: "mlp")
        let read = try AdapterConfig(json: Array(written.json.utf8))
        for module in shape.modules {
            let rank = try #require(ranks[module.name])
            #expect(read.rank(of: module.name) == rank)
            #expect(abs(read.scale(of: module.name) - scaling.scale(atRank: rank)) < 1e-12)
        }
        #expect(read.further["modules_to_save"] == #"["head"]"#)
        #expect(read.usesDoRA)
        #expect(read.baseModel == "mlp")
    }
}
