package import AdapterFormat
package import AdapterOperations
import Dispatch
import LinearAlgebra
import Synchronization
import TrainingData

/// An adapter file that is scored together with others.
package struct ScoredAdapter: Sendable, Hashable {
    /// The path of an `adapter_model.safetensors`.
    package var path: String
    /// The factor of every module's product.
    package var scales: [String: Double]

    package init(path: String, scales: [String: Double]) {
        self.path = path
        self.scales = scales
    }
}

extension ScoredAdapter {
    /// An adapter with the scales of its `adapter_config.json`.
    ///
    /// - Parameter configuration: path of the configuration; nil for the one beside the file.
    package init(_ file: AdapterFile, at path: String, configuration: String? = nil) throws(AdapterFileError) {
        self.init(
            path: path,
            scales: try AdapterConfig(of: path, at: configuration).nativeScales(
                of: file, at: path, isItsOwn: configuration == nil))
    }
}

extension NativeTask {
    /// Scores adapters of any ranks on every example; blocks. Where the base model supports it, one pass serves all of
    /// them.
    ///
    /// The results are within 1e-5 of those of `Evaluation`.
    ///
    /// - Parameter merge: path of an adapter whose product, at scale 1, is added to the base first.
    package func score(
        _ adapters: [ScoredAdapter], merge: String? = nil, settings: TrainingSettings = TrainingSettings()
    ) throws(TrainingError) -> [Evaluation] {
        try task.score(adapters, merge: merge, settings: settings)
    }
}

extension ModelTask {
    func score(
        _ adapters: [ScoredAdapter], merge: String?, settings: TrainingSettings
    ) throws(TrainingError) -> [Evaluation] {
        guard !adapters.isEmpty else { return [] }
        let examples = try base.prepare(examples, settings: settings)
        var frozen = base.layers
        if let merge { try ModelAdapter(path: merge).merge(into: &frozen) }
        var adapted: [[AdaptedLayer]] = []
        var dense: [[DenseTensor]] = []
        for adapter in adapters {
            let file = try ModelAdapter(path: adapter.path)
            adapted.append(try file.adapt(of: base, frozen, scales: adapter.scales))
            dense.append(try file.dense(of: base))
        }
        if let texts = examples as? TokenSequences {
            return try together(texts, adapted, dense: dense, settings: settings)
        }
        let batch = min(base.scoringBatch(adapters: adapted.count), examples.count)
        let scorers = try base.scorers(base.threads, adapted, dense: dense, settings: settings, batchLimit: batch)
        guard let scorers else { return try oneAtATime(examples, adapted, dense: dense, settings: settings) }
        return run(scorers, on: examples, adapters: adapted.count, batch: batch)
    }

    /// A language model's adapters, some at a time in one batch; those with magnitudes one after the other.
    private func together(
        _ texts: TokenSequences, _ adapted: [[AdaptedLayer]], dense: [[DenseTensor]], settings: TrainingSettings
    ) throws(TrainingError) -> [Evaluation] {
        let choices = try base.choices(examples, settings: settings)
        var results: [Evaluation] = []
        for first in stride(from: 0, to: adapted.count, by: TokenScoring.adapterLimit) {
            let group = first..<min(first + TokenScoring.adapterLimit, adapted.count)
            if let model = try base.model(together: Array(adapted[group]), settings: settings) {
                results += TokenScoring(model: model, adapters: group.count).evaluations(texts, choices)
                continue
            }
            for index in group {
                let model = try base.model(
                    adapted[index], dense: dense[index], settings: settings, batchLimit: base.scoringBatch)
                guard let model = model as? any TokenPredictingModel else { continue }
                results += TokenScoring(model: model, adapters: 1).evaluations(texts, choices)
            }
        }
        return results
    }

    private func oneAtATime(
        _ examples: Base.Model.Examples, _ adapted: [[AdaptedLayer]], dense: [[DenseTensor]], settings: TrainingSettings
    ) throws(TrainingError) -> [Evaluation] {
        var results: [Evaluation] = []
        for (layers, dense) in zip(adapted, dense) {
            let model = try base.model(
                layers, dense: dense, settings: settings, batchLimit: min(base.scoringBatch, examples.count))
            results.append(Evaluation(of: model, base, on: examples))
        }
        return results
    }

    /// Each scorer takes the next batch, group by group, when it has finished one. Scorers run in parallel where there
    /// are cores for it.
    private func run(
        _ scorers: [any AdapterScorer<Base.Model.Examples>], on examples: Base.Model.Examples, adapters: Int, batch: Int
    ) -> [Evaluation] {
        let order = Array(0..<examples.count)
        let classes = base.classes
        let all = FloatBlock(count: adapters * order.count * classes)
        nonisolated(unsafe) let target = all.floats
        nonisolated(unsafe) let scorers = scorers
        let groups = scorers[0].groups
        let batches = (order.count + batch - 1) / batch
        let next = Atomic(0)
        return withExtendedLifetime(all) {
            DispatchQueue.concurrentPerform(iterations: scorers.count) { thread in
                while true {
                    let turn = next.add(1, ordering: .relaxed).oldValue
                    let (group, first) = (turn / batches, turn % batches * batch)
                    guard group < groups.count else { break }
                    let scores = scorers[thread].logits(
                        examples, order[first..<min(first + batch, order.count)], group: group)
                    for (adapter, score) in zip(groups[group], scores) {
                        for row in 0..<score.rows {
                            let place = (adapter * order.count + first + row) * classes
                            for column in 0..<classes { target[place + column] = score[row, column] }
                        }
                    }
                }
            }
            return (0..<adapters).map { adapter in
                let count = order.count * classes
                return Evaluation(
                    logits: Array(target[adapter * count..<(adapter + 1) * count]), labels: examples.labels,
                    classes: classes)
            }
        }
    }
}
