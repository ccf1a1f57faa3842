/// An agent's progress, kept over restarts.
package struct AgentProgress: Codable, Sendable, Hashable {
    /// A trained update that the server has not acknowledged; its adapter is in the round's folder.
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

    /// The rank after this client pruned itself.
    package struct PrunedRank: Codable, Sendable, Hashable {
        /// The owner's rank at that time; if it changes, the pruning starts again.
        package var configured: Int
        package var rank: Int

        package init(configured: Int, rank: Int) {
            self.configured = configured
            self.rank = rank
        }
    }

    /// The last round that is over for this client: acknowledged, missed or refused.
    package var lastRound: Int
    /// The last round that went on without this client's update; the client does not offer it one again.
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

    /// The rank to ask for if the owner configured `configured`.
    package func rank(configured: Int) -> Int {
        pruned.flatMap { $0.configured == configured ? $0.rank : nil } ?? configured
    }
}
