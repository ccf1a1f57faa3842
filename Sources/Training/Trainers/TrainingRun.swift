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
    private let loop: TrainingLoop<Base>

    init(_ assignment: TrainingAssignment, base: Base, examples: Base.Model.Examples) throws(TrainingError) {
        self.assignment = assignment
        let plan = assignment.plan
        try ModelAdapter.check(plan, of: base)
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
            dense = try adapter.dense(of: base, plan: plan)
        }
        loop = try TrainingLoop(
            base: base, layers: layers, dense: dense, examples: examples, settings: plan.settings, seed: plan.seed,
            factors: plan.train, penalty: plan.penalty, pruning: plan.pruning)
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
