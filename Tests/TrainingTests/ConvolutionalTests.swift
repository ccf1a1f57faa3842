import AdapterFormat
import Foundation
import LinearAlgebra
import Testing
import TrainingData

@testable import Training

@Suite struct ConvolutionalTests {
    /// A net with LoRA on every layer, its factors random, and examples for it.
    private static func net(full: Bool = false) throws -> (ConvolutionalNet, DataSet) {
        let base = ConvolutionalBase(shape: try ConvolutionalShape(name: "cnn-6x5x2-3k3-2k3-4-3"), seed: 5)
        var generator = SeededGenerator(seed: 2, stream: "test")
        func draw(_ count: Int) -> [Float] { (0..<count).map { _ in generator.uniform(within: 1) } }
        let layers = zip(base.layers, base.biases).map { frozen, bias in
            var layer = AdaptedLayer(
                frozen,
                lora: full
                    ? nil
                    : LoRALayer(
                        ModuleFactors(
                            rank: 2, inputs: frozen.inputs, outputs: frozen.outputs, a: draw(2 * frozen.inputs),
                            b: draw(2 * frozen.outputs)), scale: 0.5))
            if full { layer.train(weight: frozen.weight.values, bias: bias.values) }
            return layer
        }
        let examples = DataSet(width: 60, features: draw(240), labels: [0, 1, 2, 1])
        return (try base.model(layers, dense: [], settings: TrainingSettings(), batchLimit: 4), examples)
    }

    @Test(arguments: [false, true]) func `gradients agree with finite differences`(full: Bool) throws {
        let (net, examples) = try Self.net(full: full)
        func loss() -> Double { net.forward(examples, [0, 1, 2, 3]).loss / 4 }
        _ = loss()
        net.backward()
        let tensors = net.layers.flatMap { $0.trained([.a, .b]) }
        #expect(tensors.count == 8)
        let gradients = tensors.map { Array($0.gradient.floats) }
        let step: Float = 1.0 / 256
        for (tensor, gradient) in zip(tensors, gradients) {
            for index in stride(from: 0, to: gradient.count, by: 3) {
                let value = tensor.values.floats[index]
                tensor.values.floats[index] = value + step
                let above = loss()
                tensor.values.floats[index] = value - step
                let below = loss()
                tensor.values.floats[index] = value
                let expected = (above - below) / (2 * Double(step))
                #expect(abs(Double(gradient[index]) - expected) < 5e-3 * max(1, abs(expected)))
            }
        }
    }

    @Test func `logits agree with PyTorch and PEFT`() throws {
        let folder = try #require(Bundle.module.url(forResource: "Fixtures/cnn", withExtension: nil)).path
        let weights = try SafetensorsFile(path: folder + "/base.safetensors")
        let expected = try SafetensorsFile(path: folder + "/expected.safetensors")
        let shape = try ConvolutionalShape(name: "cnn-8x6x2-4k3-5k3-7-3")
        let drawn = ConvolutionalBase(shape: shape, seed: 0)
        func tensor(_ name: String) throws -> FrozenTensor {
            let tensor = try #require(weights[name])
            return FrozenTensor(shape: tensor.shape, tensor.floats())
        }
        let base = ConvolutionalBase(
            shape: shape,
            layers: try drawn.layers.map {
                FrozenLayer(name: $0.name, kind: $0.kind, weight: try tensor($0.name + ".weight"))
            }, biases: try drawn.layers.map { try tensor($0.name + ".bias") })
        let examples = DataSet(
            width: shape.inputs, features: try #require(expected["images"]).floats(),
            labels: [Int](repeating: 0, count: 6))
        let scales = Dictionary(uniqueKeysWithValues: base.layers.map { ($0.name, 1.5) })
        let result = try ModelTask(base: base, examples: examples).evaluate(
            adapter: folder + "/adapter_model.safetensors", merge: nil, scales: scales, settings: TrainingSettings())
        let logits = try #require(expected["logits"]).floats()
        #expect(result.logits.count == logits.count && zip(result.logits, logits).allSatisfy { abs($0 - $1) < 1e-4 })
    }

    @Test func `training all weights learns, is the same again, and averages`() throws {
        var generator = SeededGenerator(seed: 8, stream: "stripes")
        let labels = (0..<40).map { $0 % 2 }
        let features = labels.flatMap { label in
            (0..<36).map { ($0 / 6 % 2 == label ? 1 : 0) + generator.uniform(within: 0.3) }
        }
        let task = try ModelRegistry.model(named: "cnn-6x6x1-4k3-2", seed: 3).task(
            DataSet(width: 36, features: features, labels: labels))
        let start = try task.baseWeights()
        let settings = TrainingSettings(["epochs": .number(20), "batch_size": .number(7)])
        let (trained, outcome) = try task.trainFully(from: start, settings: settings, seed: 1)
        #expect((outcome.accuracy ?? 0) > 0.9)
        #expect(try task.evaluate(trained).accuracy > 0.9)
        #expect(try task.trainFully(from: start, settings: settings, seed: 1).weights == trained)
        #expect(FullWeights(meanOf: [(trained, 3), (trained, 1)]) == trained)
        let path = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString).safetensors"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try trained.write(to: path)
        #expect(try FullWeights(path: path) == trained)
        #expect(FullWeights(meanOf: [(trained, 3), (start, 1)]) != trained)
    }

    @Test(arguments: [
        "cnn", "cnn-28x28x1", "cnn-28x28-16k5-10", "cnn-28x28x1-16k4-10", "cnn-28x28x1-16k5", "cnn-2x2x1-4k3-4k3-2",
        "cnn-28x28x1-16k5-ten", "cnn-0x28x1-16k5-10", "cnn-28x28x1-10",
    ])
    func `a name that is no convolutional net says what is expected`(name: String) {
        #expect(throws: TrainingError.self) { try ModelRegistry.model(named: name, seed: 0) }
    }
}
