import AdapterFormat
import Foundation
import LinearAlgebra
import Testing

@testable import Training

/// Many adapters on a tiny BERT, in a folder that goes with the test.
@Suite final class BertScorerTests {
    private let folder: String

    init() throws {
        folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    private static let settings = TrainingSettings(["max_length": .number(9)])
    private static let dense = ["classifier.weight": [3, 32], "classifier.bias": [3]]

    private static var base: String {
        get throws { try #require(Bundle.module.resourceURL).path + "/Fixtures/bert/tiny" }
    }

    /// Factors and a classifier of its own; every third adapter leaves the second layer out, every fourth adapts keys too.
    private func adapter(
        _ number: Int, on model: NativeModel, dense: [String: [Int]] = dense
    ) throws -> ScoredAdapter {
        let path = folder + "/\(number)"
        let layers = model.layers.enumerated()
            .filter { ($0.offset / 3 != 1 || number % 3 != 0) && ($0.offset % 3 != 1 || number % 4 == 0) }
            .map(\.element)
        let shape = try AdapterShape(
            modules: layers.map {
                ModuleShape(
                    name: $0.name, kind: $0.kind, inputs: $0.inputs, outputs: $0.outputs, maximumRank: 1 + number % 5)
            }, dense: dense.map { .init(name: $0.key, shape: $0.value) })
        try writeDrawnAdapter(shape, to: path, seed: UInt64(number), a: 0.3, b: 0.3)
        return ScoredAdapter(
            path: path,
            scales: Dictionary(uniqueKeysWithValues: layers.map { ($0.name, 0.5 + Double(number % 3)) }))
    }

    /// Texts of 2 to 12 pieces, of which nine count.
    private func texts(_ count: Int) -> EncodedTexts {
        var generator = SeededGenerator(seed: 5, stream: "texts")
        return EncodedTexts(
            labels: (0..<count).map { $0 % 3 },
            texts: (0..<count).map { number in
                (0..<2 + number % 11).map { _ in Int32(generator.next() % 40) }
            })
    }

    // 3 adapters are scored on four texts at a time, 9 on one; 66 take two passes.
    @Test(arguments: [(3, 7), (1, 1), (9, 12), (66, 3)])
    func `adapters scored together come out as one at a time`(adapterCount: Int, textCount: Int) throws {
        let model = try NativeModel(BertEncoder(folder: Self.base), dense: Self.dense)
        let task = try model.task(texts(textCount))
        let adapters = try (0..<adapterCount).map { try adapter($0, on: model) }
        let merge = try adapter(100, on: model).path
        for merge in [nil, merge] {
            let together = try task.score(adapters, merge: merge, settings: Self.settings)
            #expect(together.count == adapterCount)
            #expect(adapterCount == 1 || together[0].logits != together[1].logits)
            for (adapter, scored) in zip(adapters, together) {
                let alone = try Evaluation(
                    of: task, adapter: adapter.path, merge: merge, scales: adapter.scales, settings: Self.settings)
                #expect(alone.logits.count == scored.logits.count)
                #expect(zip(alone.logits, scored.logits).allSatisfy { abs($0 - $1) < 1e-5 * max(1, abs($0)) })
                #expect(alone.accuracy == scored.accuracy && abs(alone.loss - scored.loss) < 1e-5)
            }
        }
    }

    @Test func `an adapter without its classifier is refused`() throws {
        let model = try NativeModel(BertEncoder(folder: Self.base), dense: Self.dense)
        let task = try model.task(texts(2))
        let adapters = [
            try adapter(1, on: model), try adapter(2, on: model, dense: ["classifier.weight": [3, 32]]),
        ]
        #expect(
            throws: TrainingError.model(
                "classifier.weight", reason: "the adapter lacks it or classifier.bias, the classifier")
        ) {
            try task.score(adapters, settings: Self.settings)
        }
    }
}
