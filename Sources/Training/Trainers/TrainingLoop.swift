import AdapterOperations
import LinearAlgebra
import TrainingData

/// Trains a model by mini-batches, in an order drawn from a seed.
///
/// A model that splits batches does so with one thread and with two, and the gradients of the halves are always added
/// in the same order. So the bytes do not depend on the number of cores.
struct TrainingLoop<Base: FrozenModel> {
    let settings: LoopSettings
    /// One for each part of a batch. They share values and have their own gradients.
    private let replicas: [Base.Model]
    private let parts: BatchParts
    private let base: Base
    private let examples: Base.Model.Examples
    /// The places of the examples that may be trained on.
    private let kept: [Int]
    private let seed: UInt64
    private let penalty: Float
    private let pruning: RankPruning?
    private let trained: [TrainedTensor]
    /// What the trained tensors began with, where there is a proximal term; else empty.
    private let starts: [[Float]]
    /// The sum of the gradients of a step's batches and their parts, where there are several.
    private let accumulated = GradientSum()
    /// The trained tensors of the other replicas, in the order of `trained`.
    private let others: [[TrainedTensor]]

    /// - Parameters:
    ///   - layers: the base's layers, with the round's merge and adapter.
    ///   - places: those of the examples that may be trained on; nil for all.
    ///   - factors: the LoRA factors that are trained.
    init(
        base: Base, layers: [AdaptedLayer], dense: [DenseTensor], examples: Base.Model.Examples,
        trainedOn places: [Int]? = nil,
        settings: TrainingSettings, seed: UInt64, factors: Set<TrainingPlan.Factor> = [.a, .b], penalty: Double = 0,
        pruning: RankPruning? = nil
    ) throws(TrainingError) {
        self.settings = try LoopSettings(settings, modelNames: base.settingNames)
        self.base = base
        self.examples = examples
        kept = places ?? Array(0..<examples.count)
        self.seed = seed
        self.penalty = Float(penalty)
        self.pruning = pruning
        let batch = min(self.settings.batchSize, examples.count)
        parts = BatchParts(threads: base.threads)
        let count = base.splitsBatches && batch > 1 ? BatchParts.count : 1
        let limit = (batch + count - 1) / count
        var replicas = [try base.model(layers, dense: dense, settings: settings, batchLimit: limit)]
        for _ in 1..<count {
            replicas.append(
                try base.model(
                    layers.map(\.replica), dense: dense.map(\.replica), settings: settings, batchLimit: limit))
        }
        self.replicas = replicas
        func tensors(of model: Base.Model) -> [TrainedTensor] {
            model.layers.flatMap { $0.trained(factors) } + model.dense.map(\.tensor)
        }
        trained = tensors(of: replicas[0])
        starts = self.settings.proximalMu > 0 ? trained.map { Array($0.values.floats) } : []
        others = replicas.dropFirst().map(tensors)
    }

    /// The model with its current values.
    var model: Base.Model { replicas[0] }

    func run(
        isCancelled: () -> Bool, progress: (TrainingProgress) -> Void
    ) throws(TrainingError) -> TrainingOutcome {
        let (kept, heldOut) = split
        var order = ExampleOrder(kept, settings, seed: seed)
        let optimizer = Optimizer(settings.optimizer, for: trained, rates: rates, parts: parts)
        var last = TrainingOutcome(samples: kept.count, loss: 0, accuracy: 0)
        var best: (loss: Double, epoch: Int, values: [[Float]], outcome: TrainingOutcome)?
        var epoch = 0
        while let steps = order.nextEpoch() {
            epoch += 1
            var sum = BatchResult()
            for (step, (number, examples)) in steps.enumerated() {
                let result = try learn(examples, isCancelled: isCancelled)
                guard result.loss.isFinite else { throw .diverged(epoch: epoch, step: step + 1) }
                optimizer.step(
                    factor: settings.schedule.factor(step: number, of: order.steps), clipNorm: settings.clipNorm)
                for layer in model.layers { layer.sparse?.apply() }
                sum += result
            }
            last.loss = sum.meanLoss
            last.accuracy = sum.accuracy
            progress(TrainingProgress(epoch: epoch, epochs: order.epochs, loss: last.loss, accuracy: last.accuracy))
            guard let stop = settings.earlyStop, !heldOut.isEmpty else { continue }
            let loss = try score(heldOut, isCancelled: isCancelled).meanLoss
            if best.map({ loss < $0.loss }) ?? loss.isFinite {
                best = (loss, epoch, trained.map { Array($0.values.floats) }, last)
            } else if let best, epoch - best.epoch >= stop.patience {
                break
            }
        }
        if let best {
            for (tensor, values) in zip(trained, best.values) { _ = tensor.values.floats.update(from: values) }
            for layer in model.layers { layer.sparse?.apply() }
            last = best.outcome
        }
        guard model.isFinite else { throw .diverged(epoch: order.epochs, step: 0) }
        return last
    }

    /// The examples to train on and, with an early stop, the held-out ones.
    private var split: (trained: [Int], heldOut: [Int]) {
        guard let stop = settings.earlyStop else { return (kept, []) }
        var generator = SeededGenerator(seed: seed, stream: "held out for the early stop")
        let count = Int(stop.share * Double(kept.count))
        let shuffled = kept.shuffled(using: &generator)
        return (shuffled[count...].sorted(), shuffled[..<count].sorted())
    }

    /// Whether tokens are predicted, and not classes of examples.
    var predictsTokens: Bool { base.predictsTokens }

    /// Compares predictions of held-out examples with what is right.
    func score(_ indices: [Int], isCancelled: () -> Bool) throws(TrainingError) -> BatchResult {
        var sum = BatchResult()
        for batch in ExampleOrder.batches(of: indices[...], size: settings.batchSize) {
            for part in base.parts(of: batch, examples) {
                if isCancelled() { throw .cancelled }
                sum += compute(part) { $0.score($1, $2) }
            }
        }
        return sum
    }

    /// The learning rate of each trained tensor in units of the settings' one.
    private var rates: [Double] {
        // PEFT's LoRA+ has B's biases at B's rate too.
        let factors = model.layers.compactMap(\.lora).flatMap { [$0.b, $0.bias].compactMap(\.self) }
        let blocks = Set(factors.map { ObjectIdentifier($0.values) })
        return trained.map { blocks.contains(ObjectIdentifier($0.values)) ? settings.optimizer.ratioOfB : 1 }
    }

    /// Computes the gradients of one step: those of its batches, each weighted by what it predicts.
    private func learn(_ indices: ArraySlice<Int>, isCancelled: () -> Bool) throws(TrainingError) -> BatchResult {
        var sum = BatchResult()
        for batch in ExampleOrder.batches(of: indices, size: settings.batchSize) {
            for part in base.parts(of: batch, examples) {
                if isCancelled() { throw .cancelled }
                try base.checkFiles()
                let result = learn(part)
                let isWhole = part.count == indices.count
                if !isWhole { accumulated.take(trained, weight: result.count) }
                sum += result
            }
        }
        accumulated.write(to: trained)
        model.penalise(penalty, pruning: pruning)
        pullBack()
        return sum
    }

    /// Adds the gradient of FedProx's μ/2·‖w − w₀‖² (Li et al., arXiv 1812.06127) over all trained tensors to theirs; w₀ is what
    /// the round began with.
    private func pullBack() {
        let weight = Float(settings.proximalMu)
        for (tensor, start) in zip(trained, starts) {
            let (values, gradient) = (tensor.values.floats, tensor.gradient.floats)
            for index in start.indices { gradient[index] += weight * (values[index] - start[index]) }
        }
    }

    /// Computes the gradients of one batch.
    private func learn(_ indices: ArraySlice<Int>) -> BatchResult {
        let result = compute(indices) { model, examples, indices in
            let result = model.forward(examples, indices)
            model.backward()
            return result
        }
        for other in others where indices.count > 1 {
            let firstFraction = Float((indices.count + 1) / 2) / Float(indices.count)
            for (tensor, part) in zip(trained, other) { tensor.blend(firstFraction, with: part) }
        }
        return result
    }

    /// Computes the examples, each replica its part of them. With two threads both parts run in parallel.
    private func compute(
        _ indices: ArraySlice<Int>, _ body: (Base.Model, Base.Model.Examples, ArraySlice<Int>) -> BatchResult
    ) -> BatchResult {
        guard replicas.count > 1, indices.count > 1 else { return body(replicas[0], examples, indices) }
        var results = [BatchResult](repeating: BatchResult(), count: BatchParts.count)
        results.withUnsafeMutableBufferPointer { results in
            parts.perform { index in
                let part = BatchParts.part(index, of: indices.count)
                let rows = indices.startIndex + part.lowerBound..<indices.startIndex + part.upperBound
                results[index] = body(replicas[index], examples, indices[rows])
            }
        }
        return results.reduce(into: BatchResult()) { $0 += $1 }
    }
}
