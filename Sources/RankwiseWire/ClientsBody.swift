/// The answer to `GET …/clients`, or a page of it.
package struct ClientsBody<Item: Codable & Sendable & Hashable>: Codable, Sendable, Hashable {
    package var clients: [Item]
    /// The name of the last client if there are more; pass it as `after`.
    package var next: String?

    package init(_ clients: [Item], next: String?) {
        self.clients = clients
        self.next = next
    }
}

/// A client in a list with `outline`.
package struct ClientOutlineBody: Codable, Sendable, Hashable {
    package var name: String
    package var rank: Int
    package var registeredAt: String
    package var lastSeenAt: String
    package var revoked: Bool
    /// In the current round: `awaited`, `answered`, `declined`, `left` or `cut`; absent where it is not part of it.
    package var answer: String?

    enum CodingKeys: String, CodingKey {
        case name, rank, revoked, answer
        case registeredAt = "registered_at"
        case lastSeenAt = "last_seen_at"
    }

    package init(
        name: String, rank: Int, registeredAt: String, lastSeenAt: String, revoked: Bool, answer: String?
    ) {
        self.name = name
        self.rank = rank
        self.registeredAt = registeredAt
        self.lastSeenAt = lastSeenAt
        self.revoked = revoked
        self.answer = answer
    }
}

/// What a client did, round by round: `GET …/clients/{c}/rounds`.
package struct ClientRoundsBody: Codable, Sendable, Hashable {
    package struct Round: Codable, Sendable, Hashable {
        package var round: Int
        /// As in `ClientOutlineBody`.
        package var answer: String?
        package var update: RoundBody.Update?
        package var refusals: [RoundBody.Refusal]

        package init(round: Int, answer: String?, update: RoundBody.Update?, refusals: [RoundBody.Refusal]) {
            self.round = round
            self.answer = answer
            self.update = update
            self.refusals = refusals
        }
    }

    /// The newest first.
    package var rounds: [Round]

    package init(_ rounds: [Round]) { self.rounds = rounds }
}
