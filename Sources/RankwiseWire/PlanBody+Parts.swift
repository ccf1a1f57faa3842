/// The objects in a plan.
extension PlanBody {
    /// The adapter to download: the round that published it and its path on the server.
    package struct Source: Codable, Sendable, Hashable {
        package var round: Int
        package var href: String

        package init(round: Int, href: String) {
            self.round = round
            self.href = href
        }
    }

    /// The sum of all merges of the rounds (since, round], at a path on the server.
    package struct Merge: Codable, Sendable, Hashable {
        package var round: Int
        package var since: Int
        package var href: String

        enum CodingKeys: String, CodingKey { case round, since, href }

        package init(round: Int, since: Int = 0, href: String) {
            self.round = round
            self.since = since
            self.href = href
        }

        package init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: CodingKeys.self)
            round = try values.decode(Int.self, forKey: .round)
            since = try values.decodeIfPresent(Int.self, forKey: .since) ?? 0
            href = try values.decode(String.self, forKey: .href)
        }
    }

    /// A factor that nobody trains. It is drawn from the seed and the round, and the downloaded adapter has it too.
    package struct Drawn: Codable, Sendable, Hashable {
        /// "A" or "B".
        package var factor: String
        package var round: Int
        package var seed: UInt64

        package init(factor: String, round: Int, seed: UInt64) {
            self.factor = factor
            self.round = round
            self.seed = seed
        }
    }

    /// How a client may lower its rank: `hetlora`'s self-pruning.
    package struct Pruning: Codable, Sendable, Hashable {
        /// The share of a module's components that is not penalised, and that remains when the rank is lowered.
        package var gamma: Double
        /// The weight of ‖B[:, ⌊γ·r⌋:]‖·‖A[⌊γ·r⌋:, :]‖ in the loss.
        package var penalty: Double
        package var minRank: Int

        enum CodingKeys: String, CodingKey {
            case gamma, penalty
            case minRank = "min_rank"
        }

        package init(gamma: Double, penalty: Double, minRank: Int) {
            self.gamma = gamma
            self.penalty = penalty
            self.minRank = minRank
        }
    }

    /// A stage of a federation that trains something other than an adapter.
    package struct Stage: Codable, Sendable, Hashable {
        /// `sparse`; later servers may send others.
        package var name: String
        /// The share of a module's weights that a sparse stage trains.
        package var density: Double?
        /// The seed that selects these weights.
        package var seed: UInt64?

        package init(name: String, density: Double? = nil, seed: UInt64? = nil) {
            self.name = name
            self.density = density
            self.seed = seed
        }
    }
}
