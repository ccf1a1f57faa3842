import LinearAlgebra
import TrainingData

/// Every weight of a model's layers, trained in full: the baseline for adapters.
package struct FullWeights: Sendable, Equatable {
    /// One layer's numbers.
    struct Layer: Sendable, Equatable {
        /// The shape of the weight: outputs by inputs, or by channels, height and width.
        let shape: [Int]
        var weight: [Float]
        var bias: [Float]
    }

    /// The layers by name.
    fileprivate(set) var layers: [String: Layer]

    /// Federated averaging: the weighted mean of the clients' weights. The factors need not have the sum 1.
    ///
    /// - Precondition: there is at least one part, all parts are of one model, and the factors' sum is above 0.
    package init(meanOf parts: [(weights: FullWeights, factor: Double)]) {
        let total = parts.reduce(0) { $0 + $1.factor }
        precondition(!parts.isEmpty && total > 0, "a mean of \(parts.count) parts with factors of \(total)")
        func mean(_ numbers: (FullWeights) -> [Float]) -> [Float] {
            var sum = [Double](repeating: 0, count: numbers(parts[0].weights).count)
            for part in parts {
                for (index, number) in numbers(part.weights).enumerated() {
                    sum[index] += part.factor / total * Double(number)
                }
            }
            return sum.map(Float.init)
        }
        layers = parts[0].weights.layers
        for name in layers.keys {
            layers[name]?.weight = mean { $0.layers[name]?.weight ?? [] }
            layers[name]?.bias = mean { $0.layers[name]?.bias ?? [] }
        }
    }

    init(layers: [String: Layer]) { self.layers = layers }
}

extension NativeTask {
    /// The base's weights, where training begins; blocks.
    ///
    /// - Throws: where the model cannot be trained in full.
    package func baseWeights() throws(TrainingError) -> FullWeights { try task.baseWeights() }

    /// Trains all weights on the task's examples with a plan's `training` settings; blocks.
    package func trainFully(
        from weights: FullWeights, settings: TrainingSettings, seed: UInt64
    ) throws(TrainingError) -> (weights: FullWeights, outcome: TrainingOutcome) {
        try task.trainFully(from: weights, settings: settings, seed: seed)
    }

    /// Scores all weights on the task's examples; blocks.
    package func evaluate(
        _ weights: FullWeights, settings: TrainingSettings = TrainingSettings()
    ) throws(TrainingError) -> Evaluation {
        try task.evaluate(weights, settings: settings)
    }
}

extension ModelTask {
    func baseWeights() throws(TrainingError) -> FullWeights {
        let tensors = Dictionary(uniqueKeysWithValues: base.tensors.map { ($0.name, $0.tensor) })
        var layers: [String: FullWeights.Layer] = [:]
        for layer in base.layers {
            guard let bias = tensors[layer.name + ".bias"] else {
                throw .model(layer.name, reason: "it has no bias, so it is not trained in full here")
            }
            layers[layer.name] = .init(shape: layer.weight.shape, weight: layer.weight.values, bias: bias.values)
        }
        return FullWeights(layers: layers)
    }

    func trainFully(
        from weights: FullWeights, settings: TrainingSettings, seed: UInt64
    ) throws(TrainingError) -> (weights: FullWeights, outcome: TrainingOutcome) {
        let examples = try base.prepare(examples, settings: settings)
        let loop = try TrainingLoop(
            base: base, layers: try layers(weights), dense: [], examples: examples, settings: settings, seed: seed)
        let outcome = try loop.run(isCancelled: { false }, progress: { _ in })
        var trained = weights
        for layer in loop.model.layers {
            guard let full = layer.full else { continue }
            trained.layers[layer.name]?.weight = Array(full.weight.values.floats)
            trained.layers[layer.name]?.bias = Array(full.bias.values.floats)
        }
        return (trained, outcome)
    }

    func evaluate(_ weights: FullWeights, settings: TrainingSettings) throws(TrainingError) -> Evaluation {
        let examples = try base.prepare(examples, settings: settings)
        let model = try base.model(
            try layers(weights), dense: [], settings: settings, batchLimit: min(base.scoringBatch, examples.count))
        return Evaluation(of: model, base, on: examples)
    }

    private func layers(_ weights: FullWeights) throws(TrainingError) -> [AdaptedLayer] {
        var layers: [AdaptedLayer] = []
        for frozen in base.layers {
            guard let whole = weights.layers[frozen.name], whole.weight.count == frozen.weight.floats.count,
                whole.bias.count == frozen.outputs
            else { throw .model(frozen.name, reason: "the weights are of another model") }
            var layer = AdaptedLayer(frozen)
            layer.train(weight: whole.weight, bias: whole.bias)
            layers.append(layer)
        }
        return layers
    }
}
