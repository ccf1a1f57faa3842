package import TrainingData

/// A base model with examples that fit it. Adapters are trained and scored on it.
package struct NativeTask: Sendable {
    let task: any AnyModelTask

    init(_ task: some AnyModelTask) { self.task = task }

    package var labels: [Int] { task.labels }
    package var count: Int { labels.count }
    /// Whether tokens are predicted, and not classes of examples.
    package var predictsTokens: Bool { task.predictsTokens }

    /// The same model with the examples at `indices`, in their order.
    /// - Precondition: there is at least one index, and each is valid in this task.
    package func subset(_ indices: [Int]) -> NativeTask { task.subset(indices) }

    /// The number of features of an example; nil for a model with other examples.
    package var features: Int? { task.features }

    /// The same model with other labels, and with a trigger in some examples' features.
    ///
    /// - Throws: where examples have no classes, a label is none of the model's, or there is a trigger and no features.
    package func relabelled(
        _ labels: [Int], trigger: FeatureTrigger? = nil, on chosen: Set<Int> = []
    ) throws(TrainingError) -> NativeTask {
        try task.relabelled(labels, trigger: trigger, on: chosen)
    }

    /// The same task with one thread per step, for use while other tasks train. The bytes are the same.
    package var onOneThread: NativeTask { task.onOneThread }

    /// Trains one round; blocks.
    func train(
        _ assignment: TrainingAssignment, limits: TrainingLimits, isCancelled: () -> Bool,
        progress: (TrainingProgress) -> Void
    ) throws(TrainingError) -> TrainingOutcome {
        try task.train(assignment, limits: limits, isCancelled: isCancelled, progress: progress)
    }

    /// Scores an adapter on the examples that its plan holds out; blocks.
    func evaluate(
        _ assignment: TrainingAssignment, limits: TrainingLimits, isCancelled: () -> Bool
    ) throws(TrainingError) -> EvaluationOutcome {
        try task.evaluate(assignment, limits: limits, isCancelled: isCancelled)
    }

    /// Scores an adapter on every example, or the base alone where it is nil; blocks.
    func evaluate(
        adapter: String?, merge: String?, scales: [String: Double], settings: TrainingSettings
    ) throws(TrainingError) -> Evaluation {
        try task.evaluate(adapter: adapter, merge: merge, scales: scales, settings: settings)
    }
}

extension NativeTask {
    /// A language model's logits for the tokens of the first text, as `Evaluation` sees it.
    package struct TokenLogits: Sendable {
        package let tokens: [Int32]
        /// (tokens × vocabulary)
        package let logits: [Float]
    }

    /// The logits of the first text under an adapter; blocks.
    ///
    /// - Throws: where classes are predicted.
    package func tokenLogits(
        adapter: String?, merge: String?, scales: [String: Double], settings: TrainingSettings
    ) throws(TrainingError) -> TokenLogits {
        try task.tokenLogits(adapter: adapter, merge: merge, scales: scales, settings: settings)
    }
}

extension NativeTask {
    /// The tokens of every batch that a plan's training computes, in their order, for a reference that trains on the same.
    ///
    /// - Throws: where classes are predicted, or examples are held out.
    package func tokenBatches(_ plan: TrainingPlan) throws(TrainingError) -> [[TokenExample]] {
        try task.tokenBatches(plan)
    }
}

/// The operations of a task whose model's type `NativeTask` hides.
protocol AnyModelTask: Sendable {
    var labels: [Int] { get }
    var predictsTokens: Bool { get }
    var onOneThread: NativeTask { get }
    var features: Int? { get }
    func relabelled(
        _ labels: [Int], trigger: FeatureTrigger?, on chosen: Set<Int>
    ) throws(TrainingError) -> NativeTask
    func subset(_ indices: [Int]) -> NativeTask
    func train(
        _ assignment: TrainingAssignment, limits: TrainingLimits, isCancelled: () -> Bool,
        progress: (TrainingProgress) -> Void
    ) throws(TrainingError) -> TrainingOutcome
    func evaluate(
        _ assignment: TrainingAssignment, limits: TrainingLimits, isCancelled: () -> Bool
    ) throws(TrainingError) -> EvaluationOutcome
    func evaluate(
        adapter: String?, merge: String?, scales: [String: Double], settings: TrainingSettings
    ) throws(TrainingError) -> Evaluation
    func tokenLogits(
        adapter: String?, merge: String?, scales: [String: Double], settings: TrainingSettings
    ) throws(TrainingError) -> NativeTask.TokenLogits
    func tokenBatches(_ plan: TrainingPlan) throws(TrainingError) -> [[TokenExample]]
    func score(
        _ adapters: [ScoredAdapter], merge: String?, settings: TrainingSettings
    ) throws(TrainingError) -> [Evaluation]
    func baseWeights() throws(TrainingError) -> FullWeights
    func trainFully(
        from weights: FullWeights, settings: TrainingSettings, seed: UInt64
    ) throws(TrainingError) -> (weights: FullWeights, outcome: TrainingOutcome)
    func evaluate(_ weights: FullWeights, settings: TrainingSettings) throws(TrainingError) -> Evaluation
}

/// One kind of base model with examples that fit it.
struct ModelTask<Base: FrozenModel>: AnyModelTask {
    let base: Base
    let examples: Base.Examples

    init(base: Base, examples: Base.Examples) throws(TrainingError) {
        try base.check(examples)
        if let label = examples.labels.first(where: { !(0..<base.classes).contains($0) }) {
            throw .data(reason: "an example is of class \(label); the model has \(base.classes) classes")
        }
        self.init(checked: base, examples)
    }

    private init(checked base: Base, _ examples: Base.Examples) {
        self.base = base
        self.examples = examples
    }

    var labels: [Int] { examples.labels }
    var predictsTokens: Bool { base.predictsTokens }

    var onOneThread: NativeTask {
        var base = base
        base.threads = 1
        return NativeTask(ModelTask(checked: base, examples))
    }

    var features: Int? { base.features }

    func relabelled(
        _ labels: [Int], trigger: FeatureTrigger?, on chosen: Set<Int>
    ) throws(TrainingError) -> NativeTask {
        let changed: (any ExampleSet)? =
            switch examples {
            case let data as DataSet: data.relabelled(labels, trigger: trigger, on: chosen)
            case let texts as EncodedTexts: trigger == nil ? texts.relabelled(labels) : nil
            default: nil
            }
        guard let changed = changed as? Base.Examples else {
            throw .data(
                reason: "\(Base.Examples.self) cannot be relabelled" + (trigger == nil ? "" : " with a trigger"))
        }
        return NativeTask(try ModelTask(base: base, examples: changed))
    }

    func subset(_ indices: [Int]) -> NativeTask {
        NativeTask(ModelTask(checked: base, examples.subset(indices)))
    }

    func train(
        _ assignment: TrainingAssignment, limits: TrainingLimits, isCancelled: () -> Bool,
        progress: (TrainingProgress) -> Void
    ) throws(TrainingError) -> TrainingOutcome {
        let examples = try base.prepare(examples, settings: assignment.plan.settings)
        return try TrainingRun(assignment, base: base, examples: examples, limits: limits).train(
            isCancelled: isCancelled, progress: progress)
    }

    func evaluate(
        _ assignment: TrainingAssignment, limits: TrainingLimits, isCancelled: () -> Bool
    ) throws(TrainingError) -> EvaluationOutcome {
        let examples = try base.prepare(examples, settings: assignment.plan.settings)
        // What the training says of its memory is said once.
        let silent = TrainingLimits(topBlocks: limits.topBlocks, memory: limits.memory)
        return try TrainingRun(assignment, base: base, examples: examples, limits: silent).evaluate(
            isCancelled: isCancelled)
    }

    func evaluate(
        adapter: String?, merge: String?, scales: [String: Double], settings: TrainingSettings
    ) throws(TrainingError) -> Evaluation {
        let prepared = try base.prepare(examples, settings: settings)
        let model = try model(
            adapter: adapter, merge: merge, scales: scales, settings: settings,
            batchLimit: min(base.scoringBatch, prepared.count))
        if let model = model as? any TokenPredictingModel, let texts = prepared as? TokenSequences {
            let choices = try base.choices(examples, settings: settings)
            return TokenScoring(model: model, adapters: 1).evaluations(texts, choices)[0]
        }
        return Evaluation(of: model, base, on: prepared)
    }

    func tokenLogits(
        adapter: String?, merge: String?, scales: [String: Double], settings: TrainingSettings
    ) throws(TrainingError) -> NativeTask.TokenLogits {
        let model = try model(adapter: adapter, merge: merge, scales: scales, settings: settings, batchLimit: 1)
        guard let model = model as? any TokenPredictingModel,
            let examples = try base.prepare(examples, settings: settings) as? TokenSequences
        else { throw .model("logits", reason: "it predicts classes, not tokens") }
        let tokens = Array(examples.tokens(of: 0))
        return .init(tokens: tokens, logits: model.logits(of: tokens))
    }

    func tokenBatches(_ plan: TrainingPlan) throws(TrainingError) -> [[TokenExample]] {
        guard let texts = try base.prepare(examples, settings: plan.settings) as? TokenSequences else {
            throw .model("batches", reason: "it predicts classes, not tokens")
        }
        let settings = try LoopSettings(plan.settings, modelNames: base.settingNames)
        guard settings.earlyStop == nil else {
            throw .setting("early_stop_share", expected: "none where batches are shown", found: "an early stop")
        }
        var order = ExampleOrder(Array(0..<texts.count), settings, seed: plan.seed)
        var batches: [[TokenExample]] = []
        while let steps = order.nextEpoch() {
            for batch in steps.flatMap({ ExampleOrder.batches(of: $0.examples, size: settings.batchSize) }) {
                batches.append(
                    batch.map {
                        TokenExample(ids: Array(texts.tokens(of: $0)), lossMask: Array(texts.isCounted(of: $0)))
                    })
            }
        }
        return batches
    }

    /// The model with a merge and an adapter, or alone.
    private func model(
        adapter: String?, merge: String?, scales: [String: Double], settings: TrainingSettings, batchLimit: Int
    ) throws(TrainingError) -> Base.Model {
        var layers = base.layers
        let file: ModelAdapter? = if let adapter { try ModelAdapter(path: adapter) } else { nil }
        if let merge { try ModelAdapter(path: merge).merge(into: &layers) }
        return try base.model(
            try file?.adapt(of: base, layers, scales: scales) ?? layers.map { AdaptedLayer($0) },
            dense: try file?.dense(of: base) ?? [], settings: settings, batchLimit: batchLimit)
    }
}
