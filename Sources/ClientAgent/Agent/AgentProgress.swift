/// How far an agent has come, kept over restarts.
package struct AgentProgress: Codable, Sendable, Hashable {
    /// An update that is trained and that the server has not acknowledged; its adapter lies in the round's folder.
    package struct Unacknowledged: Codable, Sendable, Hashable {
        package var round: Int
        package var samples: Int
        package var loss: Double?
        package var accuracy: Double?

        package init(round: Int, samples: Int, loss: Double?, accuracy: Double?) {
            self.round = round
            self.samples = samples
            self.loss = loss
            self.accuracy = accuracy
        }
    }

    /// A rank that this client came down to by pruning itself.
    package struct PrunedRank: Codable, Sendable, Hashable {
        /// The rank that its owner gave it; another one there, and the pruning begins anew.
        package var configured: Int
        package var rank: Int

        package init(configured: Int, rank: Int) {
            self.configured = configured
            self.rank = rank
        }
    }

    /// The last round that this client is done with: acknowledged, missed or refused.
    package var lastRound: Int
    /// The last round in which the server did without this client's update: it is not offered one again.
    package var refusedRound: Int?
    package var unacknowledged: Unacknowledged?
    package var pruned: PrunedRank?

    enum CodingKeys: String, CodingKey {
        case unacknowledged, pruned
        case lastRound = "last_round"
        case refusedRound = "refused_round"
    }

    package init(lastRound: Int = 0, unacknowledged: Unacknowledged? = nil, pruned: PrunedRank? = nil) {
        self.lastRound = lastRound
        self.unacknowledged = unacknowledged
        self.pruned = pruned
    }

    /// The rank to ask for where the owner gave `configured`.
    package func rank(configured: Int) -> Int {
        pruned.flatMap { $0.configured == configured ? $0.rank : nil } ?? configured
    }
}
