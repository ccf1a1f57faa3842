import Foundation
import LinearAlgebra
import Testing
import TrainingData

@testable import Training

@Suite struct OptimizerTests {
    private static let start: [Float] = [0.5, -1.25, 2, 0, -0.75, 1, 3, -2, 0.125, 1.5]

    private static func gradient(_ index: Int, _ step: Int) -> Double {
        Double(((index * 7 + step * 5) % 11) - 5) / 4
    }

    private static func settings(_ values: [String: TrainingSettings.Value]) throws -> OptimizerSettings {
        try OptimizerSettings(TrainingSettings(values))
    }

    /// Five steps on one tensor of ten numbers, its gradients clipped to a norm of 2 where asked.
    private static func run(_ settings: OptimizerSettings, clip: Double?) -> [Float] {
        let tensor = TrainedTensor(start, rows: 2, columns: 5)
        let optimizer = Optimizer(settings, for: [tensor])
        for step in 1...5 {
            for index in start.indices { tensor.gradient.floats[index] = Float(gradient(index, step)) }
            optimizer.step(factor: 1 / Double(step), clipNorm: clip)
        }
        return Array(tensor.values.floats)
    }

    private static func share(_ step: Int, _ clip: Double?) -> Double {
        guard let clip else { return 1 }
        let norm = start.indices.reduce(0) { $0 + gradient($1, step) * gradient($1, step) }.squareRoot()
        return min(1, clip / (norm + 1e-6))
    }

    @Test(arguments: [nil, 2] as [Double?]) func `AdamW agrees with its definition`(clip: Double?) throws {
        let trained = Self.run(
            try Self.settings([
                "optimizer": .text("adamw"), "learning_rate": .number(0.05), "weight_decay": .number(0.1),
                "beta1": .number(0.8),
            ]), clip: clip)
        for (index, first) in Self.start.enumerated() {
            var (value, m, v) = (Double(first), 0.0, 0.0)
            for step in 1...5 {
                let rate = 0.05 / Double(step)
                let slope = Self.gradient(index, step) * Self.share(step, clip)
                value -= rate * 0.1 * value
                m = 0.8 * m + 0.2 * slope
                v = 0.999 * v + 0.001 * slope * slope
                value -=
                    rate * (m / (1 - pow(0.8, Double(step))))
                    / ((v / (1 - pow(0.999, Double(step)))).squareRoot() + 1e-8)
            }
            #expect(abs(Double(trained[index]) - value) < 1e-5)
        }
    }

    @Test(arguments: [nil, 2] as [Double?]) func `SGD agrees with its definition`(clip: Double?) throws {
        let trained = Self.run(try Self.settings(["weight_decay": .number(0.1)]), clip: clip)
        for (index, first) in Self.start.enumerated() {
            var (value, velocity) = (Double(first), 0.0)
            for step in 1...5 {
                velocity = 0.9 * velocity + Self.gradient(index, step) * Self.share(step, clip) + 0.1 * value
                value -= 0.01 / Double(step) * velocity
            }
            #expect(abs(Double(trained[index]) - value) < 1e-5)
        }
    }

    @Test func `rates warm up and fall as they are scheduled`() throws {
        func factors(_ values: [String: TrainingSettings.Value]) throws -> [Double] {
            let schedule = try RateSchedule(TrainingSettings(values))
            return (0..<10).map { schedule.factor(step: $0, of: 10) }
        }
        #expect(try factors([:]) == [Double](repeating: 1, count: 10))
        #expect(
            try factors(["schedule": .text("linear"), "warmup_steps": .number(2)])
                == [0, 0.5, 1, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125])
        let cosine = try factors(["schedule": .text("cosine"), "warmup_share": .number(0.15)])
        #expect(cosine[0...2] == [0, 0.5, 1] && abs(cosine[6] - 0.5) < 1e-12 && cosine[9] > 0)
    }

    @Test(
        arguments: [
            ("schedule", .text("step")), ("warmup_share", .number(1.5)), ("warmup_steps", .number(-1)),
            ("clip_norm", .number(0)), ("early_stop_share", .number(0.9)), ("early_stop_patience", .number(2)),
            ("beta1", .number(0.9)), ("weight_decay", .number(-1)), ("optimizer", .text("adam")),
        ] as [(String, TrainingSettings.Value)])
    func `a setting that cannot be followed is named`(name: String, value: TrainingSettings.Value) {
        let error = #expect(throws: TrainingError.self) { try LoopSettings(TrainingSettings([name: value])) }
        guard case .setting(name, _, _) = error else {
            Issue.record("expected a refusal of \(name), got \(String(describing: error))")
            return
        }
    }

    @Test func `an early stop keeps the best epoch`() throws {
        var generator = SeededGenerator(seed: 6, stream: "noise")
        // Labels that mean nothing: what is learnt of some examples is wrong for the others.
        let data = DataSet(
            width: 4, features: (0..<160).map { _ in generator.uniform(within: 1) },
            labels: (0..<40).map { _ in Int(generator.next() % 2) })
        let task = try ModelRegistry.model(named: "mlp-4-16-2", seed: 1).task(data)
        func epochs(_ more: [String: TrainingSettings.Value]) throws -> Double {
            let settings = TrainingSettings(
                ["epochs": .number(60), "batch_size": .number(4), "learning_rate": .number(0.1)]
                    .merging(more) { $1 })
            return try task.trainFully(from: try task.baseWeights(), settings: settings, seed: 2).outcome.loss
        }
        #expect(try epochs(["early_stop_share": .number(0.25)]) > epochs([:]))
    }
}
