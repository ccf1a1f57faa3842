import AdapterFormat
import AdapterOperations
import Glibc
import LinearAlgebra
import TrainingData

/// The quality of an adapted model on data that it was not trained on.
package struct Evaluation: Sendable, Hashable {
    /// Mean cross-entropy, in nats.
    package let loss: Double
    /// The share of examples classified correctly, 0 to 1.
    package let accuracy: Double
    /// The number of examples, or of tokens where these are predicted.
    package let predictions: Int
    /// The model's output before softmax (examples × classes); empty for a model without classes.
    package let logits: [Float]
    private let classes: Int
    /// The exponential of the mean loss where tokens are predicted; else nil.
    package var perplexity: Double? { predictsTokens ? exp(loss) : nil }
    private let predictsTokens: Bool
    /// How often the right option is chosen; nil where no example has options, or classes are predicted.
    package let choices: Choices?

    /// Scores an adapter on every example. Blocks.
    ///
    /// - Parameters:
    ///   - adapter: path of an `adapter_model.safetensors`; nil for the base alone.
    ///   - merge: path of an adapter whose product, at scale 1, is added to the base first.
    ///   - scales: the factor of every module's product.
    ///   - settings: the federation's `training`, from which the model's own keys are read, such as `feature_scale`.
    package init(
        of task: NativeTask, adapter: String?, merge: String? = nil, scales: [String: Double],
        settings: TrainingSettings = TrainingSettings()
    ) throws(TrainingError) {
        self = try task.evaluate(adapter: adapter, merge: merge, scales: scales, settings: settings)
    }

    /// Scores a model that has memory for `batchSize` examples, or for all.
    init<Base: FrozenModel>(of model: Base.Model, _ base: Base, on examples: Base.Model.Examples) {
        classes = base.classes
        predictsTokens = base.predictsTokens
        let batchSize = base.scoringBatch
        let order = Array(0..<examples.count)
        var logits: [Float] = []
        logits.reserveCapacity(order.count * classes)
        var sum = BatchResult()
        for first in stride(from: 0, to: order.count, by: batchSize) {
            let batch = order[first..<min(first + batchSize, order.count)]
            sum += model.score(examples, batch)
            guard let scores = (model as? any ClassifyingModel)?.logits(rows: batch.count) else { continue }
            logits.append(contentsOf: UnsafeBufferPointer(start: scores.base, count: scores.rows * scores.columns))
        }
        loss = sum.meanLoss
        accuracy = sum.accuracy
        predictions = sum.count
        self.logits = logits
        choices = nil
    }

    /// What was found for predicted tokens.
    init(_ sum: BatchResult, choices: Choices?) {
        classes = 1
        predictsTokens = true
        loss = sum.meanLoss
        accuracy = sum.accuracy
        predictions = sum.count
        logits = []
        self.choices = choices
    }

    /// Compares logits (examples × classes) with the examples' labels.
    init(logits: [Float], labels: [Int], classes: Int) {
        self.classes = classes
        predictsTokens = false
        self.logits = logits
        let gradient = FloatBlock(count: logits.count)
        let result = withExtendedLifetime(gradient) {
            logits.withUnsafeBufferPointer { scores in
                labels.withUnsafeBufferPointer { labels in
                    SoftmaxLoss.compare(
                        MatrixView(scores, rows: labels.count, columns: classes), with: labels,
                        gradient: gradient.matrix(rows: labels.count, columns: classes))
                }
            }
        }
        loss = result.meanLoss
        accuracy = result.accuracy
        predictions = result.count
        choices = nil
    }

    /// Writes the logits as a safetensors file of one tensor, `logits` (examples × classes).
    ///
    /// - Precondition: the model predicts classes.
    package func writeLogits(to path: String) throws(TrainingError) {
        try Self.write([("logits", [logits.count / classes, classes], logits)], to: path)
    }

    fileprivate static func write(
        _ tensors: [(name: String, shape: [Int], values: [Float])], to path: String
    ) throws(TrainingError) {
        try TrainingError.converting { () throws(AdapterFileError) in
            try WholeFile.replace(path) { descriptor in
                let layout = try SafetensorsLayout(
                    tensors: tensors.map { .init(name: $0.name, type: .f32, shape: $0.shape) })
                var writer = try SafetensorsWriter(layout: layout, descriptor: descriptor)
                for tensor in tensors { try writer.write(tensor.values, to: tensor.name) }
                try writer.finish()
            }
        }
    }
}

extension NativeTask.TokenLogits {
    /// Writes a safetensors file of two tensors: `tokens`, and `logits` (tokens × vocabulary).
    package func write(to path: String) throws(TrainingError) {
        try Evaluation.write(
            [
                ("tokens", [tokens.count], tokens.map(Float.init)),
                ("logits", [tokens.count, logits.count / tokens.count], logits),
            ], to: path)
    }
}
