import LinearAlgebra

/// How well an adapted model does on data that it was not trained on.
package struct Evaluation: Sendable, Hashable {
    /// Mean cross-entropy, in nats.
    package let loss: Double
    /// The share of examples classified correctly, 0 to 1.
    package let accuracy: Double

    /// Scores an adapter on every example. Blocks.
    ///
    /// - Parameters:
    ///   - model: such as `mlp-64-200-200-10`; `seed` draws its base weights.
    ///   - adapter: path of an `adapter_model.safetensors`.
    ///   - scales: what every module's product is multiplied by.
    ///   - featureScale: what features are divided by, as in training.
    package init(
        model: String, seed: UInt64, adapter: String, scales: [String: Double], data: DataSet, featureScale: Double
    ) throws(TrainingError) {
        let shape = try PerceptronShape(name: model)
        try shape.check(data)
        let layers = try PerceptronAdapter(path: adapter).layers(of: shape, scales: scales)
        let batchSize = min(256, data.count)
        let model = Perceptron(base: PerceptronBase(shape: shape, seed: seed), adapters: layers, batchLimit: batchSize)
        let scaled = data.features.map { $0 / Float(featureScale) }
        var loss = 0.0
        var correct = 0
        for first in stride(from: 0, to: data.count, by: batchSize) {
            let last = min(first + batchSize, data.count)
            scaled.withUnsafeBufferPointer { features in
                data.labels.withUnsafeBufferPointer { labels in
                    let rows = UnsafeBufferPointer(rebasing: features[first * data.width..<last * data.width])
                    let result = model.forward(
                        MatrixView(rows, rows: last - first, columns: data.width),
                        labels: UnsafeBufferPointer(rebasing: labels[first..<last]))
                    loss += result.loss
                    correct += result.correct
                }
            }
        }
        self.loss = loss / Double(data.count)
        accuracy = Double(correct) / Double(data.count)
    }
}
