/// The instructions for one client in a round: the answer to `GET …/plan`.
package struct PlanBody: Codable, Sendable, Hashable {
    package var federation: String
    package var round: Int
    /// `waiting`, `collecting`, `aggregating`, `published` or `failed`, as on the round.
    package var phase: String
    /// `waiting`, `running`, `paused` or `finished`, as on the federation.
    package var state: String
    package var revision: Int64
    package var client: String
    package var selected: Bool
    /// Whether the server already holds this client's update for the round.
    package var answered: Bool
    /// Whether the server lost this client's update for the round, so that the client must train and send it again.
    package var lost: Bool?
    package var deadlineAt: String?
    package var rank: Int
    package var ranks: [String: Int]
    package var scales: [String: Double]
    package var adapter: Source?
    /// The merge to add to the base before training.
    package var merge: Merge?
    /// Whether the adapter is new, with a product of zero, so that nothing learnt about the last one applies.
    package var reinitialise: Bool
    /// The drawn factor of the adapter; nil where the strategy draws none.
    package var drawn: Drawn?
    /// The seed of this client's randomness for the round.
    package var seed: UInt64
    /// The same for all clients: the seed of what a model makes anew, such as a head. Older servers do not send it.
    package var federationSeed: UInt64?
    /// The tensors beside the factors in the federation, by name. One that the adapter lacks starts from the client's
    /// own model. Older servers do not send it.
    package var dense: [String: [Int]]?
    /// The factors to train, of "A" and "B".
    package var train: [String]
    /// The factors to send; the others are left out of the update.
    package var send: [String]
    /// The weight μ of the penalty μ·Σ‖B·A‖²; 0 for none.
    package var penalty: Double
    /// How the client may lower ranks that it does not use; nil where it may not.
    package var pruning: Pruning?
    /// The bits of each number in a message, 8 or 4; nil for plain numbers of the adapter's type.
    package var messageBits: Int?
    /// What to train in place of an adapter; nil for an adapter.
    package var stage: Stage?
    package var training: [String: JSONValue]
    /// The path on the server to PUT the update to.
    package var update: String
    /// The server asks the client to stay away for so many seconds, and then to ask for its plan without waiting; nil
    /// where it may wait for news. Older servers do not send it.
    package var comeBackSeconds: Double?
    /// The share of its examples that the client holds out for evaluations and never trains on; nil for none.
    package var holdout: Double?
    /// What the client is to evaluate; nil for nothing.
    package var evaluate: Evaluate?

    enum CodingKeys: String, CodingKey {
        case federation, round, phase, state, revision, client, selected, answered, lost, rank, ranks, scales, adapter,
            merge
        case reinitialise, drawn, seed, dense, train, send, penalty, pruning, stage, training, update
        case holdout, evaluate
        case federationSeed = "federation_seed"
        case deadlineAt = "deadline_at"
        case messageBits = "message_bits"
        case comeBackSeconds = "come_back_seconds"
    }

    package init(
        federation: String, round: Int, phase: String, state: String, revision: Int64, client: String, selected: Bool,
        answered: Bool, lost: Bool = false, deadlineAt: String?, rank: Int, ranks: [String: Int],
        scales: [String: Double],
        adapter: Source?, merge: Merge?, reinitialise: Bool, drawn: Drawn? = nil, seed: UInt64,
        federationSeed: UInt64? = nil, dense: [String: [Int]]? = nil, train: [String],
        send: [String], penalty: Double, pruning: Pruning? = nil, messageBits: Int? = nil, stage: Stage? = nil,
        training: [String: JSONValue], update: String
    ) {
        self.federation = federation
        self.round = round
        self.phase = phase
        self.state = state
        self.revision = revision
        self.client = client
        self.selected = selected
        self.answered = answered
        self.lost = lost
        self.deadlineAt = deadlineAt
        self.rank = rank
        self.ranks = ranks
        self.scales = scales
        self.adapter = adapter
        self.merge = merge
        self.reinitialise = reinitialise
        self.drawn = drawn
        self.seed = seed
        self.federationSeed = federationSeed
        self.dense = dense
        self.train = train
        self.send = send
        self.penalty = penalty
        self.pruning = pruning
        self.messageBits = messageBits
        self.stage = stage
        self.training = training
        self.update = update
    }

    /// Writes missing values as null, so that a reader sees every key.
    package func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(federation, forKey: .federation)
        try values.encode(round, forKey: .round)
        try values.encode(phase, forKey: .phase)
        try values.encode(state, forKey: .state)
        try values.encode(revision, forKey: .revision)
        try values.encode(client, forKey: .client)
        try values.encode(selected, forKey: .selected)
        try values.encode(answered, forKey: .answered)
        try values.encode(lost, forKey: .lost)
        try values.encode(deadlineAt, forKey: .deadlineAt)
        try values.encode(rank, forKey: .rank)
        try values.encode(ranks, forKey: .ranks)
        try values.encode(scales, forKey: .scales)
        try values.encode(adapter, forKey: .adapter)
        try values.encode(merge, forKey: .merge)
        try values.encode(reinitialise, forKey: .reinitialise)
        try values.encode(drawn, forKey: .drawn)
        try values.encode(seed, forKey: .seed)
        try values.encode(federationSeed, forKey: .federationSeed)
        try values.encode(dense, forKey: .dense)
        try values.encode(train, forKey: .train)
        try values.encode(send, forKey: .send)
        try values.encode(penalty, forKey: .penalty)
        try values.encode(pruning, forKey: .pruning)
        try values.encode(messageBits, forKey: .messageBits)
        try values.encode(stage, forKey: .stage)
        try values.encode(training, forKey: .training)
        try values.encode(update, forKey: .update)
        try values.encode(comeBackSeconds, forKey: .comeBackSeconds)
        try values.encode(holdout, forKey: .holdout)
        try values.encode(evaluate, forKey: .evaluate)
    }
}
