import Foundation
import Testing

@testable import AdapterFormat

/// Adapters of other programs' names as PEFT's. `scripts/check_convert.py` compares the same with PEFT, diffusers and MLX.
struct ConversionTests {
    /// A file in memory: name, shape and numbers.
    private typealias Tensor = (name: String, shape: [Int], values: [Float])

    private static func file(_ tensors: [Tensor], type: ScalarType = .f32, metadata: [String: String] = [:]) throws
        -> SafetensorsFile
    {
        let layout = try SafetensorsLayout(
            tensors: tensors.map { .init(name: $0.name, type: type, shape: $0.shape) }, metadata: metadata)
        let folder = try TemporaryFolder()
        let bytes = try folder.file("file") { descriptor in
            var writer = try SafetensorsWriter(layout: layout, descriptor: descriptor)
            for tensor in tensors { try writer.write(tensor.values, to: tensor.name) }
            try writer.finish()
        }
        return try SafetensorsFile(bytes: bytes)
    }

    private static func numbers(_ shape: [Int], from first: Float = 1) -> [Float] {
        (0..<shape.reduce(1, *)).map { first + Float($0) }
    }

    private static func tensor(_ name: String, _ shape: [Int], from first: Float = 1) -> Tensor {
        (name, shape, numbers(shape, from: first))
    }

    /// Factors of kohya's names, and an alpha where one is given.
    private static func kohya(_ name: String, rank: Int = 2, alpha: Float? = nil) -> [Tensor] {
        [tensor(name + ".lora_down.weight", [rank, 3]), tensor(name + ".lora_up.weight", [4, rank])]
            + (alpha.map { [(name + ".alpha", [], [$0])] } ?? [])
    }

    private static func models(_ names: String) throws -> ModelModules {
        try ModelModules(files: [("names", Array(names.utf8).withUnsafeBytes { TensorStorage(copying: $0) })])
    }

    /// What is written for an adapter, read again.
    private static func written(_ adapter: ConvertedAdapter) throws -> SafetensorsFile {
        let folder = try TemporaryFolder()
        return try SafetensorsFile(bytes: try folder.file("adapter") { try adapter.write(to: $0) })
    }

    private static func convert(
        _ tensors: [Tensor], type: ScalarType = .f32, configuration: String? = nil, alpha: Double? = nil,
        models: ModelModules? = nil, metadata: [String: String] = [:]
    ) throws -> AdapterConversion {
        try AdapterConversion(
            .init(
                file(tensors, type: type, metadata: metadata), configuration: configuration.map { Array($0.utf8) },
                alpha: alpha, models: models))
    }

    @Test(arguments: [
        (
            "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q",
            "unet: down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
        ),
        (
            "lora_unet_up_blocks_3_attentions_2_transformer_blocks_0_attn2_to_out_0",
            "unet: up_blocks.3.attentions.2.transformer_blocks.0.attn2.to_out.0"
        ),
        (
            "lora_unet_mid_block_attentions_0_transformer_blocks_9_ff_net_0_proj",
            "unet: mid_block.attentions.0.transformer_blocks.9.ff.net.0.proj"
        ),
        (
            "lora_unet_mid_block_attentions_0_transformer_blocks_9_ff_net_2",
            "unet: mid_block.attentions.0.transformer_blocks.9.ff.net.2"
        ),
        ("lora_unet_down_blocks_1_attentions_0_proj_in", "unet: down_blocks.1.attentions.0.proj_in"),
        ("lora_unet_down_blocks_0_resnets_1_time_emb_proj", "unet: down_blocks.0.resnets.1.time_emb_proj"),
        ("lora_unet_down_blocks_0_downsamplers_0_conv", "unet: down_blocks.0.downsamplers.0.conv"),
        ("lora_unet_mid_block_resnets_0_conv_shortcut", "unet: mid_block.resnets.0.conv_shortcut"),
        ("lora_unet_conv_in", "unet: conv_in"), ("lora_unet_time_embedding_linear_1", "unet: time_embedding.linear_1"),
        (
            "lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q",
            "unet: down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"
        ),
        ("lora_unet_input_blocks_6_0_op", "unet: down_blocks.1.downsamplers.0.conv"),
        ("lora_unet_input_blocks_8_0_emb_layers_1", "unet: down_blocks.2.resnets.1.time_emb_proj"),
        ("lora_unet_middle_block_1_proj_out", "unet: mid_block.attentions.0.proj_out"),
        ("lora_unet_middle_block_2_in_layers_2", "unet: mid_block.resnets.1.conv1"),
        ("lora_unet_output_blocks_2_1_conv", "unet: up_blocks.0.upsamplers.0.conv"),
        ("lora_unet_output_blocks_5_2_conv", "unet: up_blocks.1.upsamplers.0.conv"),
        ("lora_unet_output_blocks_3_0_skip_connection", "unet: up_blocks.1.resnets.0.conv_shortcut"),
        (
            "lora_te_text_model_encoder_layers_11_self_attn_q_proj",
            "text_encoder: text_model.encoder.layers.11.self_attn.q_proj"
        ),
        (
            "lora_te1_text_model_encoder_layers_0_self_attn_out_proj",
            "text_encoder: text_model.encoder.layers.0.self_attn.out_proj"
        ),
        ("lora_te2_text_model_encoder_layers_31_mlp_fc1", "text_encoder_2: text_model.encoder.layers.31.mlp.fc1"),
        (
            "lora_te3_encoder_block_0_layer_1_DenseReluDense_wi_0",
            "text_encoder_3: encoder.block.0.layer.1.DenseReluDense.wi_0"
        ),
        (
            "lora_te3_encoder_block_7_layer_0_SelfAttention_q",
            "text_encoder_3: encoder.block.7.layer.0.SelfAttention.q"
        ),
        (
            "lora_transformer_single_transformer_blocks_3_attn_to_k",
            "transformer: single_transformer_blocks.3.attn.to_k"
        ),
    ])
    func `a module's name without points is resolved by what diffusers, CLIP and T5 call their modules`(
        flattened: String, path: String
    ) throws {
        let conversion = try Self.convert(Self.kohya(flattened))
        #expect(conversion.convention == .kohya)
        #expect(conversion.adapters.map { "\($0.name): \($0.modules[0].name)" } == [path])
        let file = try AdapterFile(Self.written(conversion.adapters[0]))
        #expect(file.modules.map(\.name) == [conversion.adapters[0].modules[0].name])
        #expect(file.modules[0].a?.floats() == Self.numbers([2, 3]))
        #expect(file.modules[0].b?.floats() == Self.numbers([4, 2]))
    }

    @Test func `every module has the scale that its own alpha gives, and 1 without one`() throws {
        let conversion = try Self.convert(
            Self.kohya("lora_unet_conv_in", rank: 4, alpha: 2) + Self.kohya("lora_unet_conv_out", rank: 2, alpha: 3)
                + Self.kohya("lora_unet_mid_block_resnets_0_conv1", rank: 3))
        let adapter = conversion.adapters[0]
        let config = try AdapterConfig(json: Array(adapter.config.json.utf8))
        #expect(["conv_in", "conv_out", "mid_block.resnets.0.conv1"].map(config.rank) == [4, 2, 3])
        #expect(["conv_in", "conv_out", "mid_block.resnets.0.conv1"].map(config.scale) == [0.5, 1.5, 1])
        #expect(adapter.ranks == [2, 3, 4] && adapter.scales == [0.5, 1, 1.5])
    }

    @Test func `each part of a pipeline becomes an adapter of its own`() throws {
        let conversion = try Self.convert(
            Self.kohya("lora_unet_conv_in") + Self.kohya("lora_te1_text_model_encoder_layers_0_mlp_fc1")
                + Self.kohya("lora_te2_text_model_encoder_layers_0_mlp_fc1"))
        #expect(conversion.adapters.map(\.name) == ["text_encoder", "text_encoder_2", "unet"])
        #expect(conversion.adapters.map(\.modules.count) == [1, 1, 1])
    }

    @Test func `convolutions keep their kernels, and a kernel of one is a matrix where the base has one`() throws {
        let tensors = [
            Self.tensor("lora_unet_conv_in.lora_down.weight", [2, 3, 3, 3]),
            Self.tensor("lora_unet_conv_in.lora_up.weight", [4, 2, 1, 1]),
            Self.tensor("lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight", [2, 3, 1, 1]),
            Self.tensor("lora_unet_down_blocks_0_attentions_0_proj_in.lora_up.weight", [4, 2, 1, 1]),
        ]
        let plain = try AdapterFile(Self.written(Self.convert(tensors).adapters[0]))
        #expect(plain[module: "conv_in"]?.a?.shape == [2, 3, 3, 3])
        #expect(plain[module: "down_blocks.0.attentions.0.proj_in"]?.a?.shape == [2, 3, 1, 1])
        let model = try Self.file([
            Self.tensor("conv_in.weight", [4, 3, 3, 3]),
            Self.tensor("down_blocks.0.attentions.0.proj_in.weight", [4, 3]),
        ])
        let models = try ModelModules(files: [("model", model.tensors[0].storage)])
        let fitted = try AdapterFile(Self.written(Self.convert(tensors, models: models).adapters[0]))
        #expect(fitted[module: "conv_in"]?.a?.shape == [2, 3, 3, 3])
        #expect(fitted[module: "down_blocks.0.attentions.0.proj_in"]?.a?.shape == [2, 3])
        #expect(fitted[module: "down_blocks.0.attentions.0.proj_in"]?.b?.shape == [4, 2])
    }

    @Test(arguments: ["lora.down.weight", "lora_linear_layer.down.weight"])
    func `diffusers' names lose the pipeline's part and the processors`(suffix: String) throws {
        let up = suffix.replacingOccurrences(of: "down", with: "up")
        let conversion = try Self.convert([
            Self.tensor("unet.mid_block.attn1.to_v.\(suffix)", [2, 3]),
            Self.tensor("unet.mid_block.attn1.to_v.\(up)", [4, 2]),
            Self.tensor("unet.mid_block.attn1.processor.to_out_lora.down.weight", [2, 3]),
            Self.tensor("unet.mid_block.attn1.processor.to_out_lora.up.weight", [4, 2]),
            ("unet.mid_block.attn1.to_v.alpha", [], [8]),
            Self.tensor("text_encoder.text_model.encoder.layers.0.self_attn.to_k_lora.down.weight", [2, 3]),
            Self.tensor("text_encoder.text_model.encoder.layers.0.self_attn.to_k_lora.up.weight", [4, 2]),
        ])
        #expect(conversion.convention == .diffusers)
        #expect(
            conversion.adapters.map { $0.modules.map(\.name) } == [
                ["text_model.encoder.layers.0.self_attn.k_proj"], ["mid_block.attn1.to_out.0", "mid_block.attn1.to_v"],
            ])
        #expect(conversion.adapters[1].config.scale(of: "mid_block.attn1.to_v") == 4)
        #expect(conversion.adapters[1].config.scale(of: "mid_block.attn1.to_out.0") == 1)
    }

    @Test func `PEFT's names under a pipeline's part take their scales from the file's metadata`() throws {
        let tensors = [
            Self.tensor("unet.conv_in.lora_A.weight", [4, 3]), Self.tensor("unet.conv_in.lora_B.weight", [4, 4]),
        ]
        let given = try Self.convert(
            tensors,
            metadata: ["lora_adapter_metadata": #"{"unet.r":4,"unet.lora_alpha":6,"unet.use_rslora":true}"#])
        #expect(given.adapters[0].config.scale(of: "conv_in") == 3)
        #expect(try Self.convert(tensors).adapters[0].config.scale(of: "conv_in") == 1)
    }

    @Test(arguments: [ScalarType.f64, .f32, .f16, .bf16])
    func `MLX's factors are turned, at their own type, and its scale is a factor whatever the alpha`(
        type: ScalarType
    ) throws {
        let configuration = #"""
            {"fine_tune_type": "lora", "num_layers": 4, "learning_rate": 1e-5, "model": "m", "seed": 0, "config": null,
             "lora_parameters": {"rank": 2, "alpha": 16, "scale": 10.0, "dropout": 0.25, "keys": ["q_proj"]}}
            """#
        let conversion = try Self.convert(
            [
                Self.tensor("model.layers.0.q_proj.lora_a", [3, 2]),
                Self.tensor("model.layers.0.q_proj.lora_b", [2, 4]),
                Self.tensor("model.embed_tokens.lora_a", [5, 2]), Self.tensor("model.embed_tokens.lora_b", [2, 3]),
            ], type: type, configuration: configuration)
        let adapter = conversion.adapters[0]
        #expect(adapter.config.alpha == 20 && adapter.config.further["lora_dropout"] == "0.25")
        let file = try Self.written(adapter)
        #expect(file.tensors.allSatisfy { $0.type == type })
        let read = try AdapterFile(file)
        let module = try #require(read[module: "model.layers.0.q_proj"])
        #expect(module.a?.shape == [2, 3] && module.a?.floats() == [1, 3, 5, 2, 4, 6])
        #expect(module.b?.shape == [4, 2] && module.b?.floats() == [1, 5, 2, 6, 3, 7, 4, 8])
        #expect(read[module: "model.embed_tokens"]?.isEmbedding == true)
        #expect(adapter.config.scale(of: "model.layers.0.q_proj") == 10)
    }

    @Test func `a PEFT model's own names lose the adapter's, and its configuration stays`() throws {
        let conversion = try Self.convert(
            [
                Self.tensor("base_model.model.fc.lora_A.default.weight", [2, 3]),
                Self.tensor("base_model.model.fc.lora_B.default.weight", [4, 2]),
                Self.tensor("base_model.model.fc.lora_magnitude_vector.default.weight", [4]),
                Self.tensor("base_model.model.head.modules_to_save.default.weight", [2, 4]),
                Self.tensor("base_model.model.norm.bias", [4]),
            ],
            configuration:
                #"{"peft_type":"LORA","r":2,"lora_alpha":5,"use_dora":true,"task_type":"SEQ_CLS","bias":"all"}"#)
        let adapter = conversion.adapters[0]
        #expect(adapter.config.alpha == 5 && adapter.config.further["task_type"] == "\"SEQ_CLS\"")
        let file = try AdapterFile(Self.written(adapter))
        #expect(file.dense.map(\.name) == ["fc.lora_magnitude_vector", "head.weight", "norm.bias"])
    }

    @Test func `a magnitude for each output is carried, for matrices and convolutions`() throws {
        let conversion = try Self.convert([
            Self.tensor("lora_unet_conv_in.lora_down.weight", [2, 3, 3, 3]),
            Self.tensor("lora_unet_conv_in.lora_up.weight", [4, 2, 1, 1]),
            Self.tensor("lora_unet_conv_in.dora_scale", [4, 1, 1, 1]),
            Self.tensor("lora_unet_time_embedding_linear_1.lora_down.weight", [2, 3]),
            Self.tensor("lora_unet_time_embedding_linear_1.lora_up.weight", [4, 2]),
            Self.tensor("lora_unet_time_embedding_linear_1.dora_scale", [4, 1]),
        ])
        let adapter = conversion.adapters[0]
        #expect(adapter.config.usesDoRA)
        let file = try AdapterFile(Self.written(adapter))
        #expect(file[dense: "conv_in.lora_magnitude_vector"]?.values.shape == [1, 4, 1, 1])
        #expect(file[dense: "time_embedding.linear_1.lora_magnitude_vector"]?.values.shape == [4])
    }

    @Test func `a base model's own names settle what flattened ones mean`() throws {
        let tensors = Self.kohya("lora_unet_my_block_0_odd_name")
        let models = try Self.models("my_block.0.odd_name.weight\nother\n")
        #expect(try Self.convert(tensors, models: models).adapters[0].modules[0].name == "my_block.0.odd_name")
        let index = try Self.models(#"{"metadata":{},"weight_map":{"my.block.0.odd_name.weight":"a.safetensors"}}"#)
        #expect(try Self.convert(tensors, models: index).adapters[0].modules[0].name == "my.block.0.odd_name")
        // From transformers 5 on, CLIP's own modules no longer stand in text_model.
        let clip = try Self.models("encoder.layers.0.mlp.fc1.weight")
        let text = Self.kohya("lora_te_text_model_encoder_layers_0_mlp_fc1")
        #expect(try Self.convert(text, models: clip).adapters[0].modules[0].name == "encoder.layers.0.mlp.fc1")
    }
}

/// What no conversion carries, with the sentence that it gets.
extension ConversionTests {
    struct Refusal: Sendable, CustomTestStringConvertible {
        let what: String
        let tensors: [(String, [Int])]
        var configuration: String?
        var alpha: Double?
        var models: String?
        let sentence: String

        var testDescription: String { what }
    }

    private static let conv = [
        ("lora_unet_conv_in.lora_down.weight", [2, 3]), ("lora_unet_conv_in.lora_up.weight", [4, 2]),
    ]
    private static let mlx = [("m.q_proj.lora_a", [3, 2]), ("m.q_proj.lora_b", [2, 4])]
    private static let memory = [("m.lora_A.default.weight", [2, 3]), ("m.lora_B.default.weight", [4, 2])]

    static let refusals: [Refusal] = [
        Refusal(
            what: "PEFT's names", tensors: [("m.lora_A.weight", [2, 3]), ("m.lora_B.weight", [4, 2])],
            sentence: "its tensors have PEFT's names already; there is nothing to convert"),
        Refusal(
            what: "no factor", tensors: [("classifier.weight", [2, 3])],
            sentence:
                "classifier.weight came and no LoRA factor; expected names of PEFT's model in memory, MLX, kohya's "
                + "scripts, diffusers, loralib or torchtune"),
        Refusal(
            what: "two programs' names", tensors: conv + mlx,
            sentence:
                "m.q_proj.lora_a has a name of MLX, and others have names of kohya's scripts; expected those of one "
                + "program"),
        Refusal(
            what: "an unknown tensor", tensors: conv + [("lora_unet_conv_in.diff", [4])],
            sentence: "lora_unet_conv_in.diff is no part of a LoRA module under the names of kohya's scripts"),
        Refusal(
            what: "another module's alpha", tensors: conv + [("lora_unet_conv_out.alpha", [])],
            sentence: "lora_unet_conv_out.alpha is no part of a LoRA module under the names of kohya's scripts"),
        Refusal(
            what: "a core of three factors", tensors: conv + [("lora_unet_conv_in.lora_mid.weight", [2, 2, 3, 3])],
            sentence:
                "lora_unet_conv_in.lora_mid.weight cannot be carried: it is the core of a convolution in three factors; "
                + "PEFT's LoRA has two"),
        Refusal(
            what: "LoHa", tensors: [("lora_unet_conv_in.hada_w1_a", [2, 3])],
            sentence: "lora_unet_conv_in.hada_w1_a cannot be carried: hada is no product of two factors, which LoRA is"),
        Refusal(
            what: "LoKr", tensors: [("lycoris_fc.lokr_w1", [2, 3])],
            sentence: "lycoris_fc.lokr_w1 cannot be carried: lokr is no product of two factors, which LoRA is"),
        Refusal(
            what: "no second factor", tensors: [conv[0]],
            sentence: "the second factor of lora_unet_conv_in is missing beside lora_unet_conv_in.lora_down.weight"),
        Refusal(
            what: "no first factor", tensors: [conv[1]],
            sentence: "the first factor of lora_unet_conv_in is missing beside lora_unet_conv_in.lora_up.weight"),
        Refusal(
            what: "ranks that differ", tensors: [conv[0], ("lora_unet_conv_in.lora_up.weight", [4, 3])],
            sentence:
                "lora_unet_conv_in.lora_up.weight is 4×3; expected rank 2, as lora_unet_conv_in.lora_down.weight has it"
        ),
        Refusal(
            what: "an alpha of two numbers", tensors: conv + [("lora_unet_conv_in.alpha", [2])],
            sentence: "lora_unet_conv_in.alpha is 2; expected a single number"),
        Refusal(
            what: "experts of MLX", tensors: [("m.switch.lora_a", [8, 2, 3]), ("m.switch.lora_b", [8, 4, 2])],
            sentence:
                "m.switch.lora_a is 8×2×3; expected a matrix (inputs × rank); experts' factors have no such form in "
                + "PEFT's files"),
        Refusal(
            what: "a magnitude for each input", tensors: conv + [("lora_unet_conv_in.dora_scale", [1, 3])],
            sentence:
                "lora_unet_conv_in.dora_scale cannot be carried: it has a number for each input, and PEFT's magnitude one "
                + "for each of 4 outputs"),
        Refusal(
            what: "a magnitude beside a module without",
            tensors: conv + [
                ("lora_unet_conv_in.dora_scale", [4, 1]), ("lora_unet_conv_out.lora_down.weight", [2, 3]),
                ("lora_unet_conv_out.lora_up.weight", [4, 2]),
            ],
            sentence:
                "a magnitude is missing beside lora_unet_conv_out.lora_down.weight, as others have one; PEFT's use_dora "
                + "goes for all modules"),
        Refusal(
            what: "MLX's magnitudes of an embedding",
            tensors: [
                ("m.embed_tokens.lora_a", [5, 2]), ("m.embed_tokens.lora_b", [2, 3]), ("m.embed_tokens.m", [5]),
            ],
            alpha: 4,
            sentence:
                "m.embed_tokens.m cannot be carried: MLX has a magnitude for each row of a table, and PEFT one for each "
                + "column"),
        Refusal(
            what: "a module of an unknown name",
            tensors: [
                ("lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight", [2, 3]),
                ("lora_unet_double_blocks_0_img_attn_qkv.lora_up.weight", [4, 2]),
            ],
            sentence:
                "lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight is of a module that diffusers' and CLIP's models "
                + "have not under these names (double_blocks_0_img_attn_qkv); give --modules FILE with the base model's names"
        ),
        Refusal(
            what: "a prefix of nobody",
            tensors: [("lora_vae_conv_in.lora_down.weight", [2, 3]), ("lora_vae_conv_in.lora_up.weight", [4, 2])],
            sentence:
                "lora_vae_conv_in.lora_down.weight is of a module that has none of the prefixes lora_unet_, lora_te_, "
                + "lora_te1_, lora_te2_, lora_te3_, lora_transformer_ and lycoris_"),
        Refusal(
            what: "a module that the model lacks", tensors: conv, models: "conv_out.weight",
            sentence:
                "lora_unet_conv_in.lora_down.weight is of a module that no name in --modules is conv_in with points"),
        Refusal(
            what: "a name that two modules have", tensors: conv, models: "conv.in.weight\nconv_in.weight",
            sentence:
                "lora_unet_conv_in.lora_down.weight may be of conv.in or of conv_in; give --modules FILE with the base "
                + "model's names"),
        Refusal(
            what: "a dotted name that the model lacks", tensors: mlx, alpha: 4, models: "m.k_proj.weight",
            sentence: "m.q_proj.lora_a is of a module that --modules does not name (m.q_proj)"),
        Refusal(
            what: "two names of one module",
            tensors: conv + [
                ("lora_unet_input_blocks_0_0.lora_down.weight", [2, 3]),
                ("lora_unet_input_blocks_0_0.lora_up.weight", [4, 2]),
            ],
            sentence:
                "lora_unet_conv_in.lora_down.weight and lora_unet_input_blocks_0_0.lora_down.weight both stand for "
                + "base_model.model.conv_in.lora_A.weight"),
        Refusal(
            what: "no scale", tensors: mlx,
            sentence:
                "names of MLX say nothing of lora_alpha, and there is no adapter_config.json beside them; give --alpha "
                + "NUMBER"),
        Refusal(
            what: "two scales", tensors: mlx, configuration: #"{"lora_parameters":{"rank":2,"scale":1}}"#, alpha: 4,
            sentence: "--alpha was given, and adapter_config.json says the alpha already"),
        Refusal(
            what: "another rank than the configuration's", tensors: mlx,
            configuration: #"{"lora_parameters":{"rank":3,"scale":1}}"#,
            sentence: "m.q_proj.lora_a is 3×2; expected rank 3, as adapter_config.json has it"),
        Refusal(
            what: "DoRA without magnitudes", tensors: mlx,
            configuration: #"{"fine_tune_type":"dora","lora_parameters":{"rank":2,"scale":1}}"#,
            sentence: "adapter_config.json: fine_tune_type is dora, and m.q_proj.lora_a has no magnitude beside it"),
        Refusal(
            what: "a whole model", tensors: mlx, configuration: #"{"fine_tune_type":"full"}"#,
            sentence: #"adapter_config.json: fine_tune_type is "full"; expected lora or dora"#),
        Refusal(
            what: "a configuration with a key twice", tensors: mlx,
            configuration: #"{"lora_parameters":{"rank":2,"rank":4,"scale":1}}"#,
            sentence: "adapter_config.json: lora_parameters.rank appears twice"),
        Refusal(
            what: "PEFT's configuration beside MLX's names", tensors: mlx, configuration: #"{"r":2}"#,
            sentence: "adapter_config.json: lora_parameters is missing; MLX's factors need MLX's configuration"),
        Refusal(
            what: "MLX's configuration beside PEFT's names", tensors: memory,
            configuration: #"{"lora_parameters":{"rank":2,"scale":1}}"#,
            sentence:
                "adapter_config.json: lora_parameters is of MLX's configurations; these factors have names of a PEFT model "
                + "in memory (state_dict, with the adapter's own name)"),
        Refusal(
            what: "a configuration beside kohya's names", tensors: conv, configuration: #"{"r":2}"#,
            sentence:
                "adapter_config.json: r cannot count: names of kohya's scripts carry their own alphas; give the file alone"
        ),
        Refusal(
            what: "another rank than PEFT's configuration", tensors: memory, configuration: #"{"r":4,"lora_alpha":8}"#,
            sentence: "adapter_config.json: r is 4, and m has rank 2 in the file"),
        Refusal(
            what: "PEFT's DoRA without magnitudes", tensors: memory, configuration: #"{"r":2,"use_dora":true}"#,
            sentence: "adapter_config.json: use_dora is true, and the file has no magnitudes"),
        Refusal(
            what: "a configuration of no LoRA", tensors: memory, configuration: #"{"peft_type":"IA3"}"#,
            sentence: #"adapter_config.json: the configuration is for "IA3", not LORA"#),
    ]

    @Test(arguments: refusals)
    func `what cannot be carried is refused by name`(refusal: Refusal) throws {
        let models = try refusal.models.map(Self.models)
        let error = #expect(throws: ConversionError.self) {
            try Self.convert(
                refusal.tensors.map { Self.tensor($0, $1) }, configuration: refusal.configuration, alpha: refusal.alpha,
                models: models)
        }
        #expect(error.map { "\($0)" } == refusal.sentence)
    }
}
