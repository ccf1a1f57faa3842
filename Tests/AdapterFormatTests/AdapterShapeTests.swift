import AdapterFormat
import Testing

struct AdapterShapeTests {
    private func module(
        _ name: String, kind: ModuleShape.Kind = .linear, inputs: Int = 4, outputs: Int = 3, rank: Int = 2
    ) -> ModuleShape {
        ModuleShape(name: name, kind: kind, inputs: inputs, outputs: outputs, maximumRank: rank)
    }

    @Test func `modules and tensors are kept in the order of their bytes`() throws {
        let shape = try AdapterShape(
            modules: ["é", "b.1", "B", "b"].map { module($0) },
            dense: [.init(name: "z", shape: []), .init(name: "a", shape: [1])])
        #expect(shape.modules.map(\.name) == ["B", "b", "b.1", "é"])
        #expect(shape.dense.map(\.name) == ["a", "z"])
    }

    @Test func `what is no shape of an adapter is refused`() {
        func refused(_ modules: [ModuleShape], dense: [AdapterShape.Dense] = [], type: ScalarType = .f32)
            -> AdapterShapeError?
        {
            #expect(throws: AdapterShapeError.self) { try AdapterShape(modules: modules, dense: dense, type: type) }
        }
        let one = module("m")
        #expect(refused([]) == .noModules)
        #expect(refused([module("")]) == .emptyName)
        #expect(refused([one, one]) == .duplicate("m"))
        #expect(refused([one], dense: [.init(name: "d", shape: [1]), .init(name: "d", shape: [2])]) == .duplicate("d"))
        #expect(refused([module("m", inputs: 0)]) == .size("m", what: "inputs", value: 0))
        #expect(refused([module("m", outputs: -1)]) == .size("m", what: "outputs", value: -1))
        #expect(refused([module("m", rank: 0)]) == .size("m", what: "maximum rank", value: 0))
        #expect(refused([module("m", inputs: .max, rank: 2)]) == .tooLarge("m"))
        #expect(refused([one], dense: [.init(name: "d", shape: [0])]) == .size("d", what: "a side of", value: 0))
        #expect(refused([one], dense: [.init(name: "d", shape: [.max, .max])]) == .tooLarge("d"))
        #expect(refused([one], type: .f64) == .type(.f64))
        #expect(
            refused([module("c", kind: .conv2d(height: 3, width: 3))])
                == .kernel(module: "c", inputs: 4, height: 3, width: 3))
        #expect(
            refused([module("c", kind: .conv2d(height: 0, width: 3))]) == .size("c", what: "kernel height", value: 0))
    }

    @Test func `a file of the shape keeps within the reading limits`() throws {
        let names = (0..<300).map { "model.layers.\($0).self_attn.\"very\".q_proj" }
        let shape = try AdapterShape(
            modules: names.map {
                ModuleShape(name: $0, inputs: 4096, outputs: 4096, maximumRank: 64, hasBias: true)
            })
        for bits in [nil, MessageBits.eight, .four] {
            let layout = try SafetensorsLayout(shape: shape, type: .f32, messageBits: bits)
            #expect(layout.head.count - 8 <= shape.readingLimits.headerBytes)
            let parts = layout.tensors.map { $0.messageBits == nil ? 1 : 3 }.reduce(0, +)
            #expect(parts <= shape.readingLimits.tensors)
        }
    }
}
