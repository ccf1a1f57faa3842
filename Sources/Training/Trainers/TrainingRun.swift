import Glibc
import TrainingData

/// One round of training in this process.
///
/// A round begins from the downloaded file alone and uses no state of an earlier round.
struct TrainingRun<Base: FrozenModel> {
    /// The subject of the round's training, which decides the form of its file.
    private enum Subject {
        case adapter(ModelAdapter)
        case sparse(SparseAdapter)
    }

    private let assignment: TrainingAssignment
    private let subject: Subject
    private let split: HoldoutSplit
    private let loop: TrainingLoop<Base>

    /// - Parameter limits: the client's own.
    init(
        _ assignment: TrainingAssignment, base: Base, examples: Base.Model.Examples, limits: TrainingLimits
    ) throws(TrainingError) {
        self.assignment = assignment
        let plan = assignment.plan
        split = HoldoutSplit(count: examples.count, share: plan.holdout, seed: plan.federationSeed)
        try ModelAdapter.check(plan, of: base)
        var frozen = base.layers
        if let merge = assignment.merge { try ModelAdapter(path: merge).merge(into: &frozen) }
        var layers: [AdaptedLayer]
        var dense: [DenseTensor] = []
        if let stage = plan.stage {
            let adapter = try SparseAdapter(path: assignment.adapter, stage: stage)
            subject = .sparse(adapter)
            layers = try adapter.adapt(frozen)
        } else {
            guard !plan.send.isEmpty else { throw .setting("send", expected: "A, B or both", found: "none of them") }
            let adapter = try ModelAdapter(path: assignment.adapter)
            subject = .adapter(adapter)
            layers = try adapter.adapt(of: base, frozen, scales: plan.scales, plan: plan)
            dense = try adapter.dense(of: base, plan: plan)
        }
        if let top = limits.topBlocks {
            guard plan.stage == nil else {
                throw .setting("stage", expected: "null where only some layers are trained", found: "a sparse stage")
            }
            try Self.leaveOut(allBut: top, base, &layers)
        }
        var base = base
        if let fit = try base.fitted(
            to: limits, layers: layers, examples: examples, settings: plan.settings)
        {
            if let top = fit.topBlocks { try Self.leaveOut(allBut: top, base, &layers) }
            base = fit.base
            if let summary = fit.summary { limits.report(summary) }
        }
        loop = try TrainingLoop(
            base: base, layers: layers, dense: dense, examples: examples, trainedOn: split.kept,
            settings: plan.settings, seed: plan.seed, factors: plan.train, penalty: plan.penalty, pruning: plan.pruning)
    }

    /// Trains only the layers of the highest blocks.
    private static func leaveOut(
        allBut top: Int, _ base: Base, _ layers: inout [AdaptedLayer]
    ) throws(TrainingError) {
        let blocks = base.blocks
        guard (1...blocks.count).contains(top) else {
            throw .option("--layers", expected: "top:1 to top:\(blocks.count)", found: "top:\(top)")
        }
        for index in 0..<blocks[blocks.count - top].lowerBound { layers[index].isTrained = false }
        guard layers.contains(where: { $0.isTrained && $0.lora != nil }) else {
            throw .option("--layers", expected: "some that the federation adapts", found: "top:\(top)")
        }
    }

    /// Scores the adapter on held-out examples, before any training.
    func evaluate(isCancelled: () -> Bool) throws(TrainingError) -> EvaluationOutcome {
        let scored = split.scored(loop.settings, seed: assignment.plan.federationSeed)
        guard !scored.isEmpty else { return .withoutData }
        let result = try loop.score(scored, isCancelled: isCancelled)
        var metrics = ["loss": result.meanLoss, "accuracy": result.accuracy]
        if loop.predictsTokens { metrics["perplexity"] = exp(result.meanLoss) }
        return EvaluationOutcome(samples: scored.count, metrics: metrics)
    }

    func train(
        isCancelled: () -> Bool, progress: (TrainingProgress) -> Void
    ) throws(TrainingError) -> TrainingOutcome {
        let outcome = try loop.run(isCancelled: isCancelled, progress: progress)
        switch subject {
        case .adapter(let adapter):
            try adapter.write(
                loop.model.layers, dense: loop.model.dense, sending: assignment.plan.send, to: assignment.output)
        case .sparse(let adapter): try adapter.write(loop.model.layers, to: assignment.output)
        }
        return outcome
    }
}
