import LinearAlgebra

/// One round of training in this process.
///
/// A round begins from the downloaded file alone: nothing of an earlier one is left, whether the plan's adapter is fresh
/// or not.
final class TrainingRun {
    /// What the round trains, and how it is written.
    private enum Subject {
        case adapter(PerceptronAdapter)
        case sparse(SparseAdapter)
    }

    private let assignment: TrainingAssignment
    private let settings: SGDSettings
    private let subject: Subject
    private let model: Perceptron
    private let data: DataSet
    /// The mini-batch in hand: (batch × inputs) and its classes.
    private let batch: FloatBlock
    private let labels: UnsafeMutableBufferPointer<Int>

    init(_ assignment: TrainingAssignment, shape: PerceptronShape, seed: UInt64, data: DataSet) throws(TrainingError) {
        self.assignment = assignment
        self.data = data
        settings = try SGDSettings(assignment.plan.settings)
        let plan = assignment.plan
        let base = PerceptronBase(shape: shape, seed: seed)
        if let merge = assignment.merge { try PerceptronAdapter(path: merge).merge(into: base) }
        let size = min(settings.batchSize, data.count)
        if let stage = plan.stage {
            let adapter = try SparseAdapter(path: assignment.adapter, stage: stage)
            subject = .sparse(adapter)
            model = Perceptron(base: base, sparse: try adapter.layers(of: base), batchLimit: size)
        } else {
            guard !plan.send.isEmpty else { throw .setting("send", expected: "A, B or both", found: "none of them") }
            let adapter = try PerceptronAdapter(path: assignment.adapter)
            subject = .adapter(adapter)
            model = Perceptron(
                base: base, adapters: try adapter.layers(of: shape, scales: plan.scales), batchLimit: size)
        }
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
        guard model.isFinite else { throw .diverged(epoch: settings.epochs, step: 0) }
        switch subject {
        case .adapter(let adapter):
            try adapter.write(
                model.adapters, of: model.base.shape, sending: assignment.plan.send, to: assignment.output)
        case .sparse(let adapter):
            try adapter.write(model.sparse, of: model.base.shape, to: assignment.output)
        }
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
        model.backward(input, penalty: Float(assignment.plan.penalty), pruning: assignment.plan.pruning)
        let (rate, momentum) = (settings.learningRate, settings.momentum)
        for case let layer? in model.adapters {
            for factor in assignment.plan.train { layer[factor].descend(rate: rate, momentum: momentum) }
        }
        for case let layer? in model.sparse { layer.descend(rate: rate, momentum: momentum) }
        return result
    }
}
