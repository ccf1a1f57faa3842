import AdapterFormat
import Foundation
import TestStage
import Testing
import TrainingData

@testable import Training

/// Examples that a client holds out to score adapters on.
@Suite struct HoldoutTests {
    @Test(arguments: [0.1, 0.2, 1.0 / 3, 0.5, 0.9])
    func `the share is held out, the same whenever examples are added`(share: Double) {
        let whole = HoldoutSplit(count: 1000, share: share, seed: 7)
        #expect(abs(Double(whole.heldOut.count) - 1000 * share) <= 1)
        #expect((whole.kept + whole.heldOut).sorted() == Array(0..<1000))
        for count in [10, 99, 500] {
            let part = HoldoutSplit(count: count, share: share, seed: 7)
            #expect(part.heldOut == whole.heldOut.filter { $0 < count })
        }
        #expect(HoldoutSplit(count: 1000, share: share, seed: 8).heldOut != whole.heldOut)
    }

    @Test func `nothing is held out where nothing would remain, or nobody asks for it`() {
        for seed in 0..<20 as Range<UInt64> {
            #expect(HoldoutSplit(count: 1, share: 0.5, seed: seed) == HoldoutSplit(count: 1, share: nil, seed: seed))
        }
        #expect(HoldoutSplit(count: 50, share: nil, seed: 7).heldOut.isEmpty)
        #expect(HoldoutSplit(count: 50, share: 0, seed: 7).kept.count == 50)
        #expect(HoldoutSplit(count: 50, share: .nan, seed: 7).kept.count == 50)
    }

    @Test func `no more is scored than takes a twentieth of the training`() throws {
        let split = HoldoutSplit(count: 1000, share: 0.2, seed: 7)
        func scored(_ settings: [String: TrainingSettings.Value]) throws -> [Int] {
            split.scored(try LoopSettings(TrainingSettings(settings)), seed: 7)
        }
        #expect(try scored(["epochs": .number(5)]) == split.heldOut)
        let some = try scored(["epochs": .number(1)])
        #expect(some.count == 80 && Set(some).isSubset(of: split.heldOut) && some == some.sorted())
        #expect(try scored(["epochs": .number(1)]) == some)
        #expect(try scored(["max_steps": .number(1), "batch_size": .number(16)]).count == 16)
    }

    /// Whoever trained on a held-out example would learn its label, which is wrong on purpose.
    @Test func `held-out examples are scored and never trained on`() async throws {
        let folder = try TemporaryFolder()
        let count = 100
        let split = HoldoutSplit(count: count, share: 0.2, seed: 3)
        let features = (0..<2 * count).map { index -> Float in
            let side: Float = (index / 2).isMultiple(of: 2) ? -1 : 1
            return side + Float(index * 7919 % 97) / 970
        }
        var labels = (0..<count).map { $0 % 2 }
        func trainer(_ labels: [Int]) throws -> NativeTrainer {
            let data = DataSet(width: 2, features: features, labels: labels)
            return NativeTrainer(try ModelRegistry.model(named: "mlp-2-8-2", seed: 5).task(data))
        }
        let plan = TrainingPlan(
            round: 1, ranks: ["fc1": 2], scales: ["fc1": 1], seed: 9, federationSeed: 3,
            settings: TrainingSettings(["epochs": .number(10), "learning_rate": .number(0.2)]), holdout: 0.2)
        let adapter = folder.path("adapter_model.safetensors")
        let shape = try AdapterShape(modules: [
            ModuleShape(name: "fc1", inputs: 2, outputs: 8, maximumRank: 2)
        ])
        try writeDrawnAdapter(shape, to: adapter, seed: 1, a: 0.5)
        func assignment(_ adapter: String, _ output: String) -> TrainingAssignment {
            TrainingAssignment(
                adapter: adapter, configuration: folder.path("adapter_config.json"), plan: plan,
                output: folder.path(output))
        }
        let right = try trainer(labels)
        let outcome = try await right.train(assignment(adapter, "right")) { _ in }
        #expect(outcome.samples == 80)
        let good = try await right.evaluate(assignment(folder.path("right"), "none"))
        #expect(good.samples == 20 && good.metrics.keys.sorted() == ["accuracy", "loss"])
        let before = try await right.evaluate(assignment(adapter, "none"))
        #expect(try #require(good.metrics["loss"]) < #require(before.metrics["loss"]))
        #expect(!FileManager.default.fileExists(atPath: folder.path("none")))

        for index in split.heldOut { labels[index] = 1 - labels[index] }
        let wrong = try trainer(labels)
        _ = try await wrong.train(assignment(adapter, "wrong")) { _ in }
        #expect(
            FileManager.default.contents(atPath: folder.path("wrong"))
                == FileManager.default.contents(atPath: folder.path("right")))
        let bad = try await wrong.evaluate(assignment(folder.path("wrong"), "none"))
        #expect(abs((bad.metrics["accuracy"] ?? 0) + (good.metrics["accuracy"] ?? 0) - 1) < 1e-9)
    }
}
