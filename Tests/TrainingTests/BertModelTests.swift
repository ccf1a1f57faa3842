import AdapterFormat
import Foundation
import LinearAlgebra
import Testing
import TrainingData

@testable import Training

/// A tiny random BERT, and what transformers, PEFT and torch give for it (`Fixtures/bert/make_model.py`).
@Suite struct BertModelTests {
    private static var folder: String {
        get throws { try #require(Bundle.module.resourceURL).path + "/Fixtures/bert/tiny" }
    }

    private static let settings = TrainingSettings(["max_length": .number(20)])

    private static func model(batchLimit: Int = 6) throws -> BertModel {
        let base = try BertBase(BertEncoder(folder: folder), classes: 3)
        let adapter = try ModelAdapter(path: folder + "/adapter_model.safetensors")
        let scales = Dictionary(uniqueKeysWithValues: adapter.file.modules.map { ($0.name, 2.0) })
        return try base.model(
            adapter.adapt(of: base, base.layers, scales: scales), dense: adapter.dense(of: base), settings: settings,
            batchLimit: batchLimit)
    }

    private static func expected() throws -> SafetensorsFile {
        try SafetensorsFile(path: folder + "/expected.safetensors")
    }

    private static func texts(_ expected: SafetensorsFile) throws -> EncodedTexts {
        let lengths = try #require(expected["lengths"]).floats().map { Int($0) }
        var pieces = try #require(expected["pieces"]).floats().map { Int32($0) }[...]
        let labels = try #require(expected["labels"]).floats().map { Int($0) }
        return EncodedTexts(
            labels: labels,
            texts: lengths.map { length in
                defer { pieces = pieces.dropFirst(length) }
                return Array(pieces.prefix(length))
            })
    }

    private static func logits(_ model: BertModel, rows: Int) -> [Float] {
        withExtendedLifetime(model) {
            let view = model.logits(rows: rows)
            return Array(UnsafeBufferPointer(start: view.base, count: view.rows * view.columns))
        }
    }

    private static func distance(_ one: [Float], _ other: [Float]) -> Float {
        zip(one, other).map { abs($0 - $1) }.max() ?? .infinity
    }

    @Test func `logits and loss are those of transformers with PEFT`() throws {
        let expected = try Self.expected()
        let model = try Self.model()
        let result = model.forward(try Self.texts(expected), [0, 1, 2, 3, 4, 5])
        #expect(Self.distance(Self.logits(model, rows: 6), try #require(expected["logits"]).floats()) < 2e-5)
        let loss = try #require(expected["loss"]).floats()[0]
        #expect(abs(Float(result.loss) - loss) < 1e-4)
    }

    @Test func `gradients are those of torch`() throws {
        let expected = try Self.expected()
        let model = try Self.model()
        _ = model.forward(try Self.texts(expected), [0, 1, 2, 3, 4, 5])
        model.backward()
        var compared = 0
        func compare(_ name: String, _ found: [Float]) throws {
            let wanted = try #require(expected["gradient." + name], "\(name)").floats()
            let size = wanted.map(abs).max() ?? 0
            #expect(found.count == wanted.count && Self.distance(found, wanted) < 1e-5 + 1e-4 * size, "\(name)")
            compared += 1
        }
        for layer in model.layers {
            guard let lora = layer.lora else { continue }
            try compare(layer.name + ".lora_A.weight", Array(lora.a.gradient.floats))
            let b = ModuleFactors(
                rank: lora.rank, inputs: layer.inputs, outputs: layer.outputs, a: Array(lora.a.values.floats),
                b: Array(lora.b.gradient.floats))
            try compare(layer.name + ".lora_B.weight", b.outputMajorB())
        }
        for dense in model.dense { try compare(dense.name, Array(dense.tensor.gradient.floats)) }
        #expect(compared == 10)
    }

    @Test func `gradients are those of finite differences`() throws {
        let texts = try Self.texts(try Self.expected())
        let model = try Self.model()
        let batch: ArraySlice<Int> = [4, 2, 3, 0]
        _ = model.forward(texts, batch)
        model.backward()
        let tensors = model.layers.compactMap(\.lora).flatMap { [$0.a, $0.b] } + model.dense.map(\.tensor)
        let step: Float = 1e-2
        for tensor in tensors {
            let gradient = Array(tensor.gradient.floats)
            let largest = try #require(gradient.indices.max { abs(gradient[$0]) < abs(gradient[$1]) })
            let value = tensor.values.floats[largest]
            tensor.values.floats[largest] = value + step
            let above = model.forward(texts, batch).loss
            tensor.values.floats[largest] = value - step
            let below = model.forward(texts, batch).loss
            tensor.values.floats[largest] = value
            let slope = Float(above - below) / Float(batch.count) / (2 * step)
            #expect(abs(slope - gradient[largest]) < 1e-3 + 0.02 * abs(slope))
        }
    }

    @Test func `a text's logits do not depend on the texts beside it`() throws {
        let texts = try Self.texts(try Self.expected())
        let model = try Self.model()
        _ = model.forward(texts, [5, 4, 3, 2, 1, 0])
        let together = Self.logits(model, rows: 6)
        for (row, index) in [5, 4, 3, 2, 1, 0].enumerated() {
            _ = model.forward(texts, [index])
            #expect(Self.distance(Self.logits(model, rows: 1), Array(together[3 * row..<3 * row + 3])) < 1e-5)
        }
    }

    @Test func `the same batch gives the same bytes, whatever came before`() throws {
        let texts = try Self.texts(try Self.expected())
        func gradients(of model: BertModel) -> [[Float]] {
            _ = model.forward(texts, [1, 2, 4])
            model.backward()
            return model.layers.compactMap(\.lora).flatMap {
                [Array($0.a.gradient.floats), Array($0.b.gradient.floats)]
            }
                + model.dense.map { Array($0.tensor.gradient.floats) }
        }
        let used = try Self.model()
        _ = used.forward(texts, [0, 1, 2, 3, 4, 5])
        used.backward()
        #expect(gradients(of: used) == gradients(of: try Self.model()))
        #expect(gradients(of: used) == gradients(of: try Self.model(batchLimit: 3)))
    }

    @Test func `where only the last layer is adapted, its gradients are the same`() throws {
        let texts = try Self.texts(try Self.expected())
        let base = try BertBase(BertEncoder(folder: Self.folder), classes: 3)
        let adapter = try ModelAdapter(path: Self.folder + "/adapter_model.safetensors")
        let scales = Dictionary(uniqueKeysWithValues: adapter.file.modules.map { ($0.name, 2.0) })
        var gradients: [[Float]] = []
        for frozen in [false, true] {
            var layers = try adapter.adapt(of: base, base.layers, scales: scales)
            // The first layer's factors act either as an adapter or as a part of the weights.
            for index in 0..<3 where frozen {
                guard let lora = layers[index].lora else { continue }
                var layer = base.layers[index]
                var factors = lora.factors
                for position in factors.a.indices { factors.a[position] *= 2 }
                layer.add(factors)
                layers[index] = AdaptedLayer(layer)
            }
            let model = try base.model(
                layers, dense: adapter.dense(of: base), settings: Self.settings, batchLimit: 6)
            _ = model.forward(texts, [0, 1, 2, 3, 4, 5])
            model.backward()
            gradients.append(try #require(model.layers[5].lora).a.gradient.floats.map(\.self))
            gradients.append(try #require(model.layers[3].lora).b.gradient.floats.map(\.self))
        }
        #expect(Self.distance(gradients[0], gradients[2]) < 1e-5)
        #expect(Self.distance(gradients[1], gradients[3]) < 1e-5)
    }
}
