import LinearAlgebra

/// One round of training in this process.
///
/// A round begins from the downloaded file alone: nothing of an earlier one is left, whether the plan's adapter is fresh
/// or not.
struct TrainingRun<Base: FrozenModel> {
    /// What the round trains, and how it is written.
    private enum Subject {
        case adapter(ModelAdapter)
        case sparse(SparseAdapter)
    }

    private let assignment: TrainingAssignment
    private let settings: SGDSettings
    private let subject: Subject
    private let model: Base.Model
    private let examples: Base.Model.Examples

    init(_ assignment: TrainingAssignment, base: Base, examples: Base.Model.Examples) throws(TrainingError) {
        self.assignment = assignment
        self.examples = examples
        settings = try SGDSettings(assignment.plan.settings)
        let plan = assignment.plan
        var frozen = base.layers
        if let merge = assignment.merge { try ModelAdapter(path: merge).merge(into: &frozen) }
        let layers: [AdaptedLayer]
        var dense: [DenseTensor] = []
        if let stage = plan.stage {
            let adapter = try SparseAdapter(path: assignment.adapter, stage: stage)
            subject = .sparse(adapter)
            layers = try adapter.adapt(frozen)
        } else {
            guard !plan.send.isEmpty else { throw .setting("send", expected: "A, B or both", found: "none of them") }
            let adapter = try ModelAdapter(path: assignment.adapter)
            subject = .adapter(adapter)
            layers = try adapter.adapt(frozen, scales: plan.scales)
            dense = try adapter.dense(base.dense)
        }
        model = try base.model(
            layers, dense: dense, settings: plan.settings, batchLimit: min(settings.batchSize, examples.count))
    }

    func train(
        isCancelled: () -> Bool, progress: (TrainingProgress) -> Void
    ) throws(TrainingError) -> TrainingOutcome {
        var generator = SeededGenerator(seed: assignment.plan.seed, stream: "order of examples")
        var order = Array(0..<examples.count)
        var last = TrainingOutcome(samples: examples.count, loss: 0, accuracy: 0)
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
            last.loss = loss / Double(examples.count)
            last.accuracy = Double(correct) / Double(examples.count)
            progress(TrainingProgress(epoch: epoch, epochs: settings.epochs, loss: last.loss, accuracy: last.accuracy))
        }
        guard model.isFinite else { throw .diverged(epoch: settings.epochs, step: 0) }
        switch subject {
        case .adapter(let adapter):
            try adapter.write(
                model.layers, dense: model.dense, sending: assignment.plan.send, to: assignment.output)
        case .sparse(let adapter): try adapter.write(model.layers, to: assignment.output)
        }
        return last
    }

    /// One step on the examples at `indices`.
    private func descend(_ indices: ArraySlice<Int>) -> BatchResult {
        let result = model.forward(examples, indices)
        model.backward(penalty: Float(assignment.plan.penalty), pruning: assignment.plan.pruning)
        let (rate, momentum) = (settings.learningRate, settings.momentum)
        for layer in model.layers {
            if let lora = layer.lora {
                for factor in assignment.plan.train { lora[factor].descend(rate: rate, momentum: momentum) }
            }
            layer.sparse?.descend(rate: rate, momentum: momentum)
        }
        for dense in model.dense { dense.tensor.descend(rate: rate, momentum: momentum) }
        return result
    }
}
