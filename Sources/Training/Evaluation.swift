import AdapterFormat
import LinearAlgebra

/// How well an adapted model does on data that it was not trained on.
package struct Evaluation: Sendable, Hashable {
    /// Mean cross-entropy, in nats.
    package let loss: Double
    /// The share of examples classified correctly, 0 to 1.
    package let accuracy: Double
    /// The model's output before softmax (examples × classes).
    package let logits: [Float]
    private let classes: Int

    /// Scores an adapter on every example. Blocks.
    ///
    /// - Parameters:
    ///   - model: such as `mlp-64-200-200-10`; `seed` draws its base weights.
    ///   - adapter: path of an `adapter_model.safetensors`.
    ///   - merge: path of an adapter whose product, at scale 1, is added to the base first.
    ///   - scales: what every module's product is multiplied by.
    ///   - featureScale: what features are divided by, as in training.
    package init(
        model: String, seed: UInt64, adapter: String, merge: String? = nil, scales: [String: Double], data: DataSet,
        featureScale: Double
    ) throws(TrainingError) {
        let shape = try PerceptronShape(name: model)
        try shape.check(data)
        let layers = try PerceptronAdapter(path: adapter).layers(of: shape, scales: scales)
        let batchSize = min(256, data.count)
        let base = PerceptronBase(shape: shape, seed: seed)
        if let merge { try PerceptronAdapter(path: merge).merge(into: base) }
        let model = Perceptron(base: base, adapters: layers, batchLimit: batchSize)
        classes = shape.classes
        var logits: [Float] = []
        logits.reserveCapacity(data.count * shape.classes)
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
                    let scores = model.logits(rows: last - first)
                    logits.append(
                        contentsOf: UnsafeBufferPointer(start: scores.base, count: scores.rows * scores.columns))
                    loss += result.loss
                    correct += result.correct
                }
            }
        }
        self.loss = loss / Double(data.count)
        accuracy = Double(correct) / Double(data.count)
        self.logits = logits
    }

    /// Writes the logits as a safetensors file of one tensor, `logits` (examples × classes).
    package func writeLogits(to path: String) throws(TrainingError) {
        try WholeFile.replace(path) { descriptor in
            let layout = try SafetensorsLayout(
                tensors: [.init(name: "logits", type: .f32, shape: [logits.count / classes, classes])])
            var writer = try SafetensorsWriter(layout: layout, descriptor: descriptor)
            try writer.write(logits, to: "logits")
            try writer.finish()
        }
    }
}
