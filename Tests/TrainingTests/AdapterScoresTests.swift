import AdapterFormat
import Foundation
import LinearAlgebra
import Testing
import TrainingData

@testable import Training

/// Many adapters of their own ranks, in a folder that goes with the test.
@Suite final class AdapterScoresTests {
    private let folder: String

    init() throws {
        folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    /// An adapter with random factors; the second layer is left out where the number is odd.
    private func adapter(_ number: Int, on model: NativeModel) throws -> ScoredAdapter {
        let path = folder + "/\(number)"
        let layers = model.layers.enumerated().filter { $0.offset != 1 || number % 2 == 0 }.map(\.element)
        let shape = try AdapterShape(
            modules: layers.map {
                ModuleShape(
                    name: $0.name, kind: $0.kind, inputs: $0.inputs, outputs: $0.outputs, maximumRank: 1 + number)
            })
        try writeDrawnAdapter(shape, to: path, seed: UInt64(number), a: 0.5, b: 0.5)
        return ScoredAdapter(
            path: path, scales: Dictionary(uniqueKeysWithValues: layers.map { ($0.name, 0.5 + Double(number)) }))
    }

    @Test(arguments: ["mlp-32-9-7-3", "cnn-8x4x1-3k3-5-3"], [1, 33])
    func `adapters scored together come out as one at a time`(name: String, count: Int) throws {
        var generator = SeededGenerator(seed: 3, stream: "examples")
        let data = DataSet(
            width: 32, features: (0..<32 * count).map { _ in generator.uniform(within: 1) },
            labels: (0..<count).map { $0 % 3 })
        let model = try ModelRegistry.model(named: name, seed: 4)
        let task = try model.task(data)
        let adapters = try (0..<5).map { try adapter($0, on: model) }
        let settings = TrainingSettings(["feature_scale": .number(2)])
        let together = try task.score(adapters, settings: settings)
        #expect(together.count == 5 && together[0].logits != together[1].logits)
        for (adapter, scored) in zip(adapters, together) {
            let alone = try Evaluation(of: task, adapter: adapter.path, scales: adapter.scales, settings: settings)
            #expect(zip(alone.logits, scored.logits).allSatisfy { abs($0 - $1) < 1e-5 * max(1, abs($0)) })
            #expect(alone.accuracy == scored.accuracy && abs(alone.loss - scored.loss) < 1e-5 * max(1, alone.loss))
        }
        #expect(try task.score([]).isEmpty)
    }
}
