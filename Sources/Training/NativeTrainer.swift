import Dispatch
import LinearAlgebra
import Synchronization

/// Trains a multilayer perceptron's adapter in this process: mini-batch SGD with momentum on OpenBLAS.
///
/// The same assignment and data give the same bytes: the order of examples is drawn from the plan's seed, and OpenBLAS
/// runs on one thread. Velocities begin at zero every round.
package final class NativeTrainer: LocalTrainer {
    private let shape: PerceptronShape
    private let seed: UInt64
    private let data: DataSet
    private let queue = DispatchQueue(label: "rankwise.training")

    /// - Parameters:
    ///   - model: such as `mlp-64-200-200-10`.
    ///   - seed: draws the frozen base weights.
    package init(model: String, seed: UInt64, data: DataSet) throws(TrainingError) {
        shape = try PerceptronShape(name: model)
        try shape.check(data)
        self.seed = seed
        self.data = data
    }

    package func train(
        _ assignment: TrainingAssignment, progress: @escaping @Sendable (TrainingProgress) -> Void
    ) async throws(TrainingError) -> TrainingOutcome {
        let isCancelled = Atomic(false)
        let result: Result<TrainingOutcome, TrainingError> = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                queue.async {
                    do throws(TrainingError) {
                        let run = try TrainingRun(assignment, shape: self.shape, seed: self.seed, data: self.data)
                        let outcome = try run.train(
                            isCancelled: { isCancelled.load(ordering: .relaxed) }, progress: progress)
                        continuation.resume(returning: .success(outcome))
                    } catch {
                        continuation.resume(returning: .failure(error))
                    }
                }
            }
        } onCancel: {
            isCancelled.store(true, ordering: .relaxed)
        }
        return try result.get()
    }
}

extension PerceptronShape {
    /// Whether the examples fit the model.
    func check(_ data: DataSet) throws(TrainingError) {
        guard data.width == inputs else {
            throw .data(reason: "an example has \(data.width) features; the model takes \(inputs)")
        }
        if let label = data.labels.first(where: { !(0..<classes).contains($0) }) {
            throw .data(reason: "an example is of class \(label); the model has \(classes) classes")
        }
    }
}

/// One round of training.
private final class TrainingRun {
    private let assignment: TrainingAssignment
    private let settings: SGDSettings
    private let adapter: PerceptronAdapter
    private let model: Perceptron
    private let data: DataSet
    /// The mini-batch in hand: (batch × inputs) and its classes.
    private let batch: FloatBlock
    private let labels: UnsafeMutableBufferPointer<Int>

    init(_ assignment: TrainingAssignment, shape: PerceptronShape, seed: UInt64, data: DataSet) throws(TrainingError) {
        self.assignment = assignment
        self.data = data
        settings = try SGDSettings(assignment.plan.settings)
        adapter = try PerceptronAdapter(path: assignment.adapter)
        let base = PerceptronBase(shape: shape, seed: seed)
        if let merge = assignment.merge { try PerceptronAdapter(path: merge).merge(into: base) }
        let size = min(settings.batchSize, data.count)
        model = Perceptron(
            base: base, adapters: try adapter.layers(of: shape, scales: assignment.plan.scales), batchLimit: size)
        batch = FloatBlock(count: size * data.width)
        labels = .allocate(capacity: size)
        labels.initialize(repeating: 0)
    }

    deinit { labels.deallocate() }

    func train(
        isCancelled: () -> Bool, progress: (TrainingProgress) -> Void
    ) throws(TrainingError) -> TrainingOutcome {
        var generator = SeededGenerator(seed: assignment.plan.seed, stream: "order of examples")
        var order = Array(0..<data.count)
        var last = TrainingOutcome(samples: data.count, loss: 0, accuracy: 0)
        for epoch in 1...settings.epochs {
            order.shuffle(using: &generator)
            var loss = 0.0
            var correct = 0
            for (step, first) in stride(from: 0, to: order.count, by: settings.batchSize).enumerated() {
                if isCancelled() { throw .cancelled }
                let rows = min(settings.batchSize, order.count - first)
                let result = descend(order[first..<first + rows])
                guard result.loss.isFinite else { throw .diverged(epoch: epoch, step: step + 1) }
                loss += result.loss
                correct += result.correct
            }
            last.loss = loss / Double(data.count)
            last.accuracy = Double(correct) / Double(data.count)
            progress(TrainingProgress(epoch: epoch, epochs: settings.epochs, loss: last.loss, accuracy: last.accuracy))
        }
        let isFinite = model.adapters.allSatisfy { layer in
            layer.map { $0.a.values.floats.allSatisfy(\.isFinite) && $0.b.values.floats.allSatisfy(\.isFinite) } ?? true
        }
        guard isFinite else { throw .diverged(epoch: settings.epochs, step: 0) }
        try adapter.write(model.adapters, of: model.base.shape, to: assignment.output)
        return last
    }

    /// One step on the examples at `indices`.
    private func descend(_ indices: ArraySlice<Int>) -> Perceptron.BatchResult {
        for (row, index) in indices.enumerated() {
            labels[row] = data.labels[index]
            for column in 0..<data.width {
                batch.floats[row * data.width + column] =
                    data.features[index * data.width + column] / settings.featureScale
            }
        }
        let input = batch.matrix(rows: indices.count, columns: data.width).readOnly
        let result = model.forward(input, labels: UnsafeBufferPointer(rebasing: labels[..<indices.count]))
        model.backward(input, penalty: Float(assignment.plan.penalty))
        for case let layer? in model.adapters {
            if assignment.plan.train.contains(.a) {
                layer.a.descend(rate: settings.learningRate, momentum: settings.momentum)
            }
            if assignment.plan.train.contains(.b) {
                layer.b.descend(rate: settings.learningRate, momentum: settings.momentum)
            }
        }
        return result
    }
}
