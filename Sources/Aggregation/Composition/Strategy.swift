package import AdapterFormat

/// Computes a round's results from its updates: a composition of weights, an admission rule, projections, and
/// instructions for clients.
package struct Strategy: Sendable {
    /// How clients are weighed.
    package let weighting: Weighting
    /// Its parameters, defaults included.
    package let parameters: [String: ParameterValue]
    package let optimizer: ServerOptimizer
    package let sum: SumKind
    /// What withstands wrong updates; nil for nothing.
    package let robust: RobustRule?
    private let recipe: any StrategyRecipe

    init(
        _ recipe: any StrategyRecipe, weighting: Weighting, parameters: [String: ParameterValue],
        optimizer: ServerOptimizer, sum: SumKind, robust: RobustRule?
    ) {
        self.recipe = recipe
        self.weighting = weighting
        self.parameters = parameters
        self.optimizer = optimizer
        self.sum = sum
        self.robust = robust
    }

    package var name: String { type(of: recipe).name }

    /// A condition that updates must satisfy.
    package var admission: Admission { recipe.admission }

    /// Whether rounds publish a merge.
    package var publishesMerge: Bool { recipe.publishesMerge }

    /// Computes what is published of a module in a round from the clients' factors.
    func projection(in round: Int) -> any Projection {
        guard let middle = robust?.middle else { return recipe.projection(in: round) }
        return CoordinateMiddle(rule: middle, factors: recipe.demand(in: round).factors)
    }

    private var schedule: RankSchedule? { recipe.schedule }
    private var sparse: SparseStart? { recipe.sparse }

    /// Whether a client must report its validation accuracy.
    package var needsAccuracy: Bool {
        if case .ranking = weighting { true } else { false }
    }

    /// Whether a client must report its loss.
    package var needsLoss: Bool {
        if case .loss = weighting { true } else { false }
    }

    /// The instructions to clients for a round.
    ///
    /// - Parameter last: the last round published before it; nil for the one before, which may have failed. The same
    ///   holds below.
    package func demand(in round: Int, after last: Int? = nil) -> ClientDemand {
        var demand = recipe.demand(in: round)
        if let sparse, sparse.covers(roundAfter: last ?? round - 1) { demand.sparse = .init(density: sparse.density) }
        return demand
    }

    /// The highest rank in a round of a module whose maximum is `maximum`.
    package func rank(_ maximum: Int, in round: Int) -> Int {
        schedule?.rank(maximum, in: round) ?? maximum
    }

    /// The shape of updates in a round: the federation's shape at the round's ranks, or the sparse stage's tensors.
    package func updateShape(of shape: AdapterShape, round: Int, after last: Int? = nil) -> AdapterShape {
        if let sparse, sparse.covers(roundAfter: last ?? round - 1) { return sparse.shape(of: shape) }
        return lowered(shape, round)
    }

    /// The shape of what a round publishes; round 0 is version 0.
    package func publishedShape(of shape: AdapterShape, round: Int) -> AdapterShape {
        if let sparse, round < sparse.rounds { return sparse.shape(of: shape) }
        return lowered(shape, round)
    }

    private func lowered(_ shape: AdapterShape, _ round: Int) -> AdapterShape {
        guard let schedule else { return shape }
        return shape.withRanks { schedule.rank($0.maximumRank, in: round) }
    }

    /// Whether a client keeps something from one round for the next: a lowered rank, or a personal adapter.
    package var keepsClientState: Bool {
        type(of: recipe).keepsPersonalAdapter || recipe.demand(in: 1).pruning != nil
    }

    /// Whether it begins with rounds that train full weights under a mask.
    package var hasSparseStage: Bool { sparse != nil }

    /// Whether every round has the federation's shape.
    var keepsShape: Bool { schedule == nil && sparse == nil }

    /// The share of weights that the sparse stage trains; nil without such a stage.
    var sparseDensity: Double? { sparse?.density }

    /// The tensor for a module's change in the sparse stage.
    package func sparseTensor(of module: ModuleShape) -> AdapterShape.Dense {
        SparseStart.tensor(of: module, density: sparseDensity ?? 1)
    }

    /// What works on the steps from earlier values; nil where nothing does.
    private var movesFromEarlier: String? {
        if optimizer != .none { return optimizer.name }
        if case .clip = robust { return "robust clip" }
        return nil
    }

    /// Checks a federation's shape before it is created.
    package func check(_ shape: AdapterShape) throws(StrategyError) {
        if publishesMerge || sparse != nil, let module = shape.experts.keys.min() {
            throw .experts(strategy: name, module: module)
        }
        if sparse != nil, let module = shape.modules.first(where: { !SparseStart.takes($0) }) {
            throw .sparseMatrix(strategy: name, module: module.name)
        }
        if let name = movesFromEarlier, let tensor = shape.dense.first(where: { $0.initial == .base }) {
            throw .noInitialValue(by: name, tensor: tensor.name)
        }
        guard publishesMerge else { return }
        if let tensor = shape.dense.first(where: { $0.name.contains("lora_magnitude_vector") }) {
            throw .magnitude(strategy: name, tensor: tensor.name)
        }
    }

    /// Checks an update before it is accepted: the shape, the granted ranks, this strategy's condition, every number.
    ///
    /// - Parameters:
    ///   - shape: the federation's, at the maximum ranks.
    ///   - messageBits: the quantised messages that the federation accepts.
    ///   - numbersAreSound: whether every number was checked before and need not be read again.
    package func validate(
        _ update: AdapterFile, shape: AdapterShape, ranks: [String: Int], round: Int, after last: Int? = nil,
        messageBits: Set<MessageBits> = [], numbersAreSound: Bool = false
    ) throws(AdapterError) {
        let sent = updateShape(of: shape, round: round, after: last)
        try update.checkShapes(
            against: sent, ranks: ranks, needed: demand(in: round).factors, messageBits: messageBits)
        try admission.check(update, shape: sent)
        if !numbersAreSound { try update.checkFinite() }
    }
}
