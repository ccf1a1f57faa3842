import AdapterFormat
import Testing

/// What configurations say to a shape, and what is published of it.
@Suite struct CarriedConfigTests {
    private func shape(_ dense: [String: [Int]] = [:], hasBias: Bool = false) throws -> AdapterShape {
        try AdapterShape(
            modules: [
                ModuleShape(name: "m.q", inputs: 4, outputs: 3, maximumRank: 4, hasBias: hasBias),
                ModuleShape(name: "m.v", inputs: 4, outputs: 3, maximumRank: 4, hasBias: hasBias, alpha: 16),
            ], dense: dense.map { .init(name: $0.key, shape: $0.value) })
    }

    @Test(
        arguments: [
            (["m.q.base_layer.bias": [3]], "\"lora_only\"", nil),
            (["m.q.base_layer.bias": [3], "m.norm.bias": [3]], "\"all\"", nil),
            (["head.weight": [2, 3], "head.bias": [2]], "\"none\"", #"["head"]"#),
            (
                ["classifier.dense.weight": [2, 3], "classifier.out.weight": [2, 3]], "\"none\"",
                #"["classifier.dense","classifier.out"]"#
            ),
            (["e.token_adapter.trainable_tokens_delta": [2, 3], "m.q.lora_magnitude_vector": [3]], "\"none\"", nil),
            (["m.e.base_layer.weight": [9, 3]], "\"none\"", nil),
        ] as [([String: [Int]], String, String?)])
    func `the tensors beside the factors say bias and saved modules`(
        dense: [String: [Int]], bias: String, saved: String?
    ) throws {
        let config = AdapterConfig(shape: try shape(dense), scaling: .lora(alpha: 8))
        #expect(config.further["bias"] == bias)
        #expect(config.further["modules_to_save"] == saved)
    }

    @Test func `saved modules come back as the clients had them, and the head of a classifier as a whole`() throws {
        let shape = try shape(["r.classifier.dense.weight": [2, 3], "r.classifier.out.weight": [2, 3]])
        func saved(_ carried: [String: String]) -> String? {
            AdapterConfig(shape: shape, scaling: .lora(alpha: 8), carried: carried).further["modules_to_save"]
        }
        #expect(saved(["modules_to_save": #"["classifier","score"]"#]) == #"["classifier","score"]"#)
        #expect(saved(["modules_to_save": #"["other"]"#]) == #"["r.classifier.dense","r.classifier.out"]"#)
        #expect(saved(["task_type": "\"SEQ_CLS\""]) == #"["r.classifier"]"#)
    }

    @Test func `modules have the alpha of their own`() throws {
        let config = AdapterConfig(shape: try shape(), ranks: ["m.q": 2], scaling: .lora(alpha: 8))
        let read = try AdapterConfig(json: Array(config.json.utf8))
        #expect(read.scale(of: "m.q") == 4)
        #expect(read.scale(of: "m.v") == 4)
    }

    @Test func `a name that could be the end of another path is published as a pattern`() throws {
        let shape = try AdapterShape(modules: [ModuleShape(name: "conv1", inputs: 4, outputs: 3, maximumRank: 4)])
        #expect(AdapterConfig(shape: shape, scaling: .constant(1)).targets == .pattern("conv1"))
    }

    @Test(arguments: [
        ("m.q.lora_diag", "KaSA"), ("m.q.bias", "m.q.base_layer.bias"),
        ("base_model.model.head.weight", "leave it out"),
        ("m.q.lora_down.weight", "no tensor of LoRA"),
    ])
    func `a tensor that no mean keeps, or that PEFT would not find, is refused by name`(name: String, reason: String) {
        let error = #expect(throws: AdapterShapeError.self) { try shape([name: [3]]) }
        #expect(error.map { "\($0)".contains(name) && "\($0)".contains(reason) } == true)
    }

    @Test func `a module without its magnitude is refused`() throws {
        let shape = try shape(["m.q.lora_magnitude_vector": [3]])
        let layout = try SafetensorsLayout(tensors: [
            .init(name: "m.q.lora_A.weight", type: .f32, shape: [1, 4]),
            .init(name: "m.q.lora_B.weight", type: .f32, shape: [3, 1]),
        ])
        let file = try AdapterFile(
            SafetensorsFile(bytes: layout.head + [UInt8](repeating: 0, count: layout.byteCount - layout.head.count)))
        #expect(throws: AdapterError.missingFactor(tensor: "m.q.lora_magnitude_vector", module: "m.q")) {
            try file.validate(against: shape, ranks: [:])
        }
    }
}
