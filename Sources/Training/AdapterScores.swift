import Dispatch
import LinearAlgebra

/// An adapter file to score beside others.
package struct ScoredAdapter: Sendable, Hashable {
    /// Of an `adapter_model.safetensors`.
    package var path: String
    /// What every module's product is multiplied by.
    package var scales: [String: Double]

    package init(path: String, scales: [String: Double]) {
        self.path = path
        self.scales = scales
    }
}

extension NativeTask {
    /// Scores adapters of any ranks on every example, in one pass over the base model where it knows how; blocks.
    ///
    /// Within 1e-5 of what `Evaluation` gives each of them.
    ///
    /// - Parameter merge: path of an adapter whose product, at scale 1, is added to the base first.
    package func score(
        _ adapters: [ScoredAdapter], merge: String? = nil, settings: TrainingSettings = TrainingSettings()
    ) throws(TrainingError) -> [Evaluation] {
        try task.score(adapters, merge: merge, settings: settings)
    }
}

extension ModelTask {
    /// Rows of all adapters in one product: large enough for full speed, small enough for the cache.
    private static var rowLimit: Int { 2048 }

    func score(
        _ adapters: [ScoredAdapter], merge: String?, settings: TrainingSettings
    ) throws(TrainingError) -> [Evaluation] {
        guard !adapters.isEmpty else { return [] }
        var frozen = base.layers
        if let merge { try ModelAdapter(path: merge).merge(into: &frozen) }
        var adapted: [[AdaptedLayer]] = []
        var dense: [[DenseTensor]] = []
        for adapter in adapters {
            let file = try ModelAdapter(path: adapter.path)
            adapted.append(try file.adapt(frozen, scales: adapter.scales))
            dense.append(try file.dense(base.dense))
        }
        let batch = min(max(1, Self.rowLimit / adapters.count), examples.count)
        var scorers: [any AdapterScorer<Base.Model.Examples>] = []
        for _ in 0..<min(2, examples.count) {
            guard let scorer = try base.scorer(adapted, dense: dense, settings: settings, batchLimit: batch) else {
                return try oneAtATime(adapted, dense: dense, settings: settings)
            }
            scorers.append(scorer)
        }
        return Self.run(scorers, on: examples, adapters: adapters.count, classes: base.classes, batch: batch)
    }

    private func oneAtATime(
        _ adapted: [[AdaptedLayer]], dense: [[DenseTensor]], settings: TrainingSettings
    ) throws(TrainingError) -> [Evaluation] {
        var results: [Evaluation] = []
        for (layers, dense) in zip(adapted, dense) {
            let model = try base.model(
                layers, dense: dense, settings: settings, batchLimit: min(base.scoringBatch, examples.count))
            results.append(Evaluation(of: model, on: examples, classes: base.classes, batchSize: base.scoringBatch))
        }
        return results
    }

    /// Each scorer its part of the examples, at the same time where there are cores for it.
    private static func run(
        _ scorers: [any AdapterScorer<Base.Model.Examples>], on examples: Base.Model.Examples, adapters: Int,
        classes: Int, batch: Int
    ) -> [Evaluation] {
        let order = Array(0..<examples.count)
        let share = (order.count + scorers.count - 1) / scorers.count
        var logits = [[Float]](repeating: [Float](repeating: 0, count: order.count * classes), count: adapters)
        let all = FloatBlock(count: adapters * order.count * classes)
        nonisolated(unsafe) let target = all.floats
        nonisolated(unsafe) let scorers = scorers
        withExtendedLifetime(all) {
            DispatchQueue.concurrentPerform(iterations: scorers.count) { part in
                let last = min((part + 1) * share, order.count)
                for first in stride(from: part * share, to: last, by: batch) {
                    let scores = scorers[part].logits(examples, order[first..<min(first + batch, last)])
                    for (adapter, score) in scores.enumerated() {
                        for row in 0..<score.rows {
                            let place = (adapter * order.count + first + row) * classes
                            for column in 0..<classes { target[place + column] = score[row, column] }
                        }
                    }
                }
            }
            for adapter in 0..<adapters {
                let count = order.count * classes
                logits[adapter] = Array(target[adapter * count..<(adapter + 1) * count])
            }
        }
        return logits.map { Evaluation(logits: $0, labels: examples.labels, classes: classes) }
    }
}
