import AdapterFormat
package import Aggregation
package import Federation

/// The instructions for one client in a round; the API adds the paths.
package struct ClientPlan: Sendable {
    package let federation: FederationID
    package let client: ClientName
    /// 0 before round 1 opens.
    package let round: Int
    package let rank: Int
    package let ranks: [String: Int]
    package let scales: [String: Double]
    /// The round whose adapter training starts from.
    package let adapterRound: Int
    /// Whether that adapter has to be cut further than its round did.
    package let isCutFurther: Bool
    /// Whether what the rounds have added to the base must be added first.
    package let hasMerge: Bool
    /// What the strategy asks for. `drawnRound` is nil where A comes with a template.
    package let demand: ClientDemand
    /// Draws this client's randomness in this round.
    package let seed: UInt64
    /// Draws what is the same for every client: a drawn A, a sparse mask, what a model makes anew.
    package let federationSeed: UInt64
    /// The shapes of the tensors beside the factors.
    package let dense: [String: [Int]]
    /// A JSON object, as the settings have it.
    package let training: String
    /// The bits of each number in a message, where the client can read such messages.
    package var messageBits: Int?

    // How the federation and the client stand in the round; the defaults are those of a client that is to train.

    package var state = FederationState.running
    /// Nil before round 1 opens.
    package var phase: RoundMachine.Phase? = .collecting
    package var deadline: Timestamp?
    package var revision: Int64 = 0
    package var isSelected = true
    package var hasAnswered = false
    /// Whether the server lost what the client sent in this round.
    package var isLost = false
    /// For how many seconds the client may stay away; nil where it should wait for its plan.
    package var comeBackSeconds: Double?
    /// The share of its examples that the client never trains on; nil for none.
    package let holdout: Double?
    /// The evaluation that waits for this client's answer.
    package var evaluation: EvaluationRound?

    /// Whether the round waits for this client's update.
    package var isAwaited: Bool { phase == .collecting && isSelected && !hasAnswered }

    /// - Parameters:
    ///   - round: 0 before round 1 opens; the plan then already says what round 1 asks for.
    ///   - published: the last published round; rounds between may have failed.
    package init(
        for client: ClientName, rank: Int, round: Int, after published: Int, _ settings: FederationSettings,
        _ plan: AdapterPlan
    ) {
        let trained = max(1, round)
        federation = settings.id
        self.client = client
        self.round = round
        self.rank = rank
        ranks = plan.ranks(for: rank, round: trained)
        scales = settings.adapter.scales(atRanks: ranks)
        adapterRound = published
        isCutFurther = plan.ranks(for: rank, round: published) != ranks
        hasMerge = plan.strategy.publishesMerge && published > 0
        var demand = plan.strategy.demand(in: trained, after: min(published, trained - 1))
        if let drawn = demand.drawnRound {
            let source = min(drawn, published)
            // A template's factors are not drawn; they come with the adapter.
            demand.drawnRound = source == 0 && settings.adapter.template != nil ? nil : source
        }
        self.demand = demand
        seed = HashedSampler.clientSeed(seed: settings.seed, round: round, client: client)
        federationSeed = settings.seed
        dense = settings.adapter.dense.mapValues(\.shape)
        training = settings.training
        holdout = settings.evaluation?.holdout
    }
}
