import AdapterFormat
import Foundation
import LinearAlgebra
import ModelFiles
import Testing
import TrainingData

@testable import Training

/// Tiny random decoders, and what transformers, PEFT and torch give for them (`Fixtures/decoder/make_models.py`).
@Suite struct DecoderModelTests {
    /// A folder of the fixtures.
    enum Kind: String, CaseIterable {
        /// Tied embeddings, grouped heads and Llama 3's frequencies.
        case llama
        /// Biases, one head of keys and YaRN.
        case qwen2
        /// Norms of queries and keys, and heads that are wider than the hidden size's share.
        case qwen3
        /// Learned positions, layer normalisation, GELU and Conv1D.
        case gpt2

        var folder: String {
            get throws { try #require(Bundle.module.resourceURL).path + "/Fixtures/decoder/" + rawValue }
        }

        var expected: SafetensorsFile {
            get throws { try SafetensorsFile(path: folder + "/expected.safetensors") }
        }
    }

    private static let settings = TrainingSettings(["max_length": .number(100)])
    private static let all = [0, 1, 2, 3, 4]

    private static func model(
        _ kind: Kind, kept: Int = 0, threads: Int = 2, adapted: (FrozenLayer) -> Bool = { _ in true },
        merges: Bool = false
    ) throws -> DecoderModel {
        var base = try DecoderBase(ModelFile(path: kind.folder))
        (base.keptLayers, base.threads) = (kept, threads)
        let adapter = try ModelAdapter(path: kind.folder + "/adapter_model.safetensors")
        let scales = Dictionary(uniqueKeysWithValues: adapter.file.modules.map { ($0.name, 2.0) })
        var layers = try adapter.adapt(of: base, base.layers, scales: scales)
        for index in layers.indices where !adapted(layers[index].frozen) { layers[index].lora = nil }
        if merges {
            var frozen = base.layers
            try adapter.merge(into: &frozen)
            layers = frozen.map { AdaptedLayer($0) }
        }
        return try base.model(layers, dense: [], settings: settings, batchLimit: 5)
    }

    private static func texts(_ expected: SafetensorsFile) throws -> TokenSequences {
        let lengths = try #require(expected["lengths"]).floats().map { Int($0) }
        var tokens = try #require(expected["tokens"]).floats().map { Int32($0) }[...]
        var marks = try #require(expected["marks"]).floats().map { $0 == 1 }[...]
        return TokenSequences(
            lengths.map { length in
                defer { (tokens, marks) = (tokens.dropFirst(length), marks.dropFirst(length)) }
                return (Array(tokens.prefix(length)), Array(marks.prefix(length)))
            })
    }

    private static func distance(_ one: [Float], _ other: [Float]) -> Float {
        one.count == other.count ? zip(one, other).map { abs($0 - $1) }.max() ?? .infinity : .infinity
    }

    /// Every gradient within 5e-4 of its tensor's largest entry.
    private static func check(_ gradients: [String: [Float]], against expected: SafetensorsFile) throws {
        for (name, gradient) in gradients {
            let reference = try #require(expected["gradient." + name]).floats()
            let largest = reference.map(abs).max() ?? 0
            #expect(distance(gradient, reference) < 5e-4 * largest, "\(name)")
        }
    }

    /// The gradients of all factors by their names in files.
    private static func gradients(_ model: DecoderModel) -> [String: [Float]] {
        var gradients: [String: [Float]] = [:]
        for layer in model.layers {
            guard let lora = layer.lora else { continue }
            gradients[layer.name + ".lora_A.weight"] = Array(lora.a.gradient.floats)
            let b = ModuleFactors(
                rank: lora.rank, inputs: lora.a.columns, outputs: lora.b.columns, a: Array(lora.a.gradient.floats),
                b: Array(lora.b.gradient.floats))
            gradients[layer.name + ".lora_B.weight"] = b.outputMajorB()
        }
        return gradients
    }

    @Test(arguments: Kind.allCases) func `logits and loss are those of transformers with PEFT`(_ kind: Kind) throws {
        let expected = try kind.expected
        let texts = try Self.texts(expected)
        let model = try Self.model(kind)
        let logits = try #require(expected["logits"]).floats()
        let last = Array(texts.tokens(of: 4))
        #expect(Self.distance(Array(model.logits(of: last).suffix(logits.count)), logits) < 1e-4)
        let loss = try #require(expected["loss"]).floats()[0]
        for result in [model.forward(texts, Self.all[...]), model.score(texts, Self.all[...])] {
            #expect(abs(Float(result.loss) - loss) < 1e-3)
            #expect(result.count == 97)
        }
    }

    @Test(arguments: Kind.allCases) func `gradients are those of PEFT, whatever is kept`(_ kind: Kind) throws {
        let expected = try kind.expected
        let texts = try Self.texts(expected)
        var former: [String: [Float]]?
        for (kept, threads) in [(0, 2), (1, 1), (2, 3)] {
            let model = try Self.model(kind, kept: kept, threads: threads)
            // The memory that a shorter batch left is used again.
            if kept == 1 { _ = model.forward(texts, [0]) }
            _ = model.forward(texts, Self.all[...])
            model.backward()
            let gradients = Self.gradients(model)
            #expect(gradients.count == 2 * model.layers.count)
            try Self.check(gradients, against: expected)
            #expect(former == nil || former == gradients, "the bytes depend on the threads or on what is kept")
            former = gradients
        }
    }

    @Test(arguments: Kind.allCases) func `gradients are the slopes of the loss`(_ kind: Kind) throws {
        let texts = try Self.texts(try kind.expected)
        let model = try Self.model(kind)
        let some = [0, 3]
        _ = model.forward(texts, some[...])
        model.backward()
        var generator = SeededGenerator(seed: 3, stream: "slopes")
        for layer in model.layers {
            let lora = try #require(layer.lora)
            for factor in [lora.a, lora.b] {
                // Along the gradient itself, where the slope is steepest.
                let direction = Array(factor.gradient.floats)
                let norm = direction.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
                let step = 0.004 + 0.002 * Double.random(in: 0...1, using: &generator)
                var losses: [Double] = []
                for sign in [1.0, -2, 1] {
                    for index in direction.indices {
                        factor.values.floats[index] += Float(sign * step / norm * Double(direction[index]))
                    }
                    losses.append(model.score(texts, some[...]).meanLoss)
                }
                let slope = (losses[0] - losses[1]) / (2 * step)
                #expect(abs(slope - norm) < 0.02 * norm + 2e-5, "\(layer.name)")
            }
        }
    }

    @Test func `only the layers above the lowest adapted one have gradients, and they are the same`() throws {
        let texts = try Self.texts(try Kind.llama.expected)
        let whole = try Self.model(.llama)
        let top = try Self.model(.llama, adapted: { $0.name.hasPrefix("model.layers.1.") })
        // Without the lower layer's adapter the loss is another, so both are compared without it.
        for layer in whole.layers where layer.name.hasPrefix("model.layers.0.") {
            layer.lora?.b.values.floats.update(repeating: 0)
        }
        for model in [whole, top] {
            _ = model.forward(texts, Self.all[...])
            model.backward()
        }
        let (all, some) = (Self.gradients(whole), Self.gradients(top))
        #expect(some.count == 14)
        for (name, gradient) in some { #expect(gradient == all[name], "\(name)") }
    }

    @Test func `a merge stays a product beside its matrix`() throws {
        let texts = try Self.texts(try Kind.qwen2.expected)
        let merged = try Self.model(.qwen2, merges: true)
        let adapted = try Self.model(.qwen2)
        // A merge has scale 1, the fixture's adapter 2.
        for layer in adapted.layers {
            guard let b = layer.lora?.b.values.floats else { continue }
            for index in b.indices { b[index] /= 2 }
        }
        let (one, other) = (merged.score(texts, Self.all[...]).loss, adapted.score(texts, Self.all[...]).loss)
        #expect(abs(one - other) < 1e-3)
    }

    /// DoRA on all linear layers, as PEFT computes it (`Fixtures/decoder/KIND/dora`).
    @Test(arguments: Kind.allCases, ["dora", "bias"])
    func `magnitudes and biases are PEFT's, whatever is kept`(_ kind: Kind, _ variant: String) throws {
        let folder = try kind.folder + "/" + variant
        let expected = try SafetensorsFile(path: folder + "/expected.safetensors")
        let texts = try Self.texts(expected)
        let adapter = try ModelAdapter(path: folder + "/adapter_model.safetensors")
        let scales = Dictionary(uniqueKeysWithValues: adapter.file.modules.map { ($0.name, 2.0) })
        var former: [String: [Float]]?
        for (kept, threads) in [(0, 2), (1, 1), (2, 3)] {
            var base = try DecoderBase(ModelFile(path: kind.folder))
            (base.keptLayers, base.threads) = (kept, threads)
            let model = try base.model(
                try adapter.adapt(of: base, base.layers, scales: scales), dense: [], settings: Self.settings,
                batchLimit: 5)
            let logits = try #require(expected["logits"]).floats()
            let last = Array(texts.tokens(of: 4))
            #expect(Self.distance(Array(model.logits(of: last).suffix(logits.count)), logits) < 1e-4)
            let result = model.forward(texts, Self.all[...])
            #expect(abs(Float(result.loss) - (try #require(expected["loss"]).floats()[0])) < 1e-3)
            model.backward()
            var gradients = Self.gradients(model)
            for layer in model.layers {
                if variant == "dora" {
                    gradients[layer.name + TensorName.magnitude] = try Array(#require(layer.magnitude).gradient.floats)
                } else {
                    gradients[layer.name + ".lora_B.bias"] = try Array(#require(layer.lora?.bias).gradient.floats)
                }
            }
            #expect(gradients.count == 3 * model.layers.count)
            try Self.check(gradients, against: expected)
            #expect(former == nil || former == gradients, "the bytes depend on the threads or on what is kept")
            former = gradients
        }
    }

    @Test func `a batch gives the mean of its texts, weighted by their counted tokens`() throws {
        let texts = try Self.texts(try Kind.gpt2.expected)
        let model = try Self.model(.gpt2)
        let whole = model.forward(texts, Self.all[...])
        model.backward()
        let gradients = Self.gradients(model)
        var sums = gradients.mapValues { $0.map { _ in 0.0 } }
        var loss = 0.0
        for text in [4, 0, 3, 2, 1] {
            let part = model.forward(texts, [text])
            model.backward()
            loss += part.loss
            for (name, gradient) in Self.gradients(model) {
                for index in gradient.indices {
                    sums[name]?[index] += Double(gradient[index]) * Double(part.count) / Double(whole.count)
                }
            }
        }
        #expect(abs(loss - whole.loss) < 1e-3)
        for (name, gradient) in gradients {
            let largest = gradient.map(abs).max() ?? 0
            #expect(Self.distance(gradient, try #require(sums[name]).map { Float($0) }) < 1e-4 * largest, "\(name)")
        }
    }
}
