import AdapterFormat
import Foundation
import Testing
import TrainingData

@testable import Training

/// Evaluations and base weights in files, in a folder that goes with the test.
@Suite final class EvaluationTests {
    private let folder: String

    init() throws {
        folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    private static let model = "mlp-3-2"
    private static let data = DataSet(width: 3, features: [1, 2, 3, -1, 0.5, 4], labels: [0, 1])

    /// An adapter of fc1 with one component: A all ones and B as given.
    private func adapter(_ name: String, b: [Float], module: String = "fc1") throws -> String {
        let path = folder + "/" + name
        let descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC, 0o600)
        defer { close(descriptor) }
        let shape = try AdapterShape(modules: [ModuleShape(name: module, inputs: 3, outputs: 2, maximumRank: 1)])
        var writer = try AdapterWriter(shape: shape, descriptor: descriptor)
        try writer.take(
            ModuleFactors(rank: 1, inputs: 3, outputs: 2, a: [1, 1, 1], b: b), of: shape.modules[0])
        try writer.finish()
        return path
    }

    private func evaluation(adapter: String, merge: String? = nil, scale: Double = 2) throws -> Evaluation {
        try Evaluation(
            of: ModelRegistry.model(named: Self.model, seed: 7).task(Self.data), adapter: adapter, merge: merge,
            scales: ["fc1": scale])
    }

    @Test func `logits are those of the base with its adapter`() throws {
        let base = folder + "/base.safetensors"
        try ModelRegistry.model(named: Self.model, seed: 7).write(to: base)
        let weights = try SafetensorsFile(path: base)
        let (weight, bias) = (weights["fc1.weight"]?.floats() ?? [], weights["fc1.bias"]?.floats() ?? [])
        #expect(weights["fc1.weight"]?.shape == [2, 3])
        let b: [Float] = [0.5, -1]
        let result = try evaluation(adapter: try adapter("adapter", b: b))
        var expected: [Float] = []
        for example in 0..<2 {
            let x = Array(Self.data.features[example * 3..<example * 3 + 3])
            for output in 0..<2 {
                var sum = bias[output] + 2 * b[output] * x.reduce(0, +)
                for input in 0..<3 { sum += x[input] * weight[output * 3 + input] }
                expected.append(sum)
            }
        }
        #expect(zip(result.logits, expected).allSatisfy { abs($0 - $1) < 1e-5 } && result.logits.count == 4)
        let path = folder + "/logits.safetensors"
        try result.writeLogits(to: path)
        let written = try SafetensorsFile(path: path)["logits"]
        #expect(written?.shape == [2, 2])
        #expect(written?.floats() == result.logits)
    }

    @Test func `a merge counts at scale 1`() throws {
        let none = try adapter("none", b: [0, 0])
        let merged = try evaluation(adapter: none, merge: try adapter("merge", b: [0.5, -1]))
        let adapted = try evaluation(adapter: try adapter("adapter", b: [0.25, -0.5]))
        #expect(zip(merged.logits, adapted.logits).allSatisfy { abs($0 - $1) < 1e-5 })
        #expect(try evaluation(adapter: none).logits != merged.logits)
    }

    @Test func `a merge of a layer that the model has not is refused`() throws {
        let none = try adapter("none", b: [0, 0])
        let other = try adapter("other", b: [1, 1], module: "fc9")
        #expect(throws: TrainingError.adapter(file: other, reason: "it adapts fc9, which the model has not")) {
            try evaluation(adapter: none, merge: other)
        }
    }
}
