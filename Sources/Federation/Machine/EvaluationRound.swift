/// The evaluation of one round's adapter by clients, as a value that performs no effects.
///
/// It opens when the round publishes, and lies beside the collecting of the next one. It ends when all that were asked
/// have answered, at its deadline, or when the next adapter is published, whatever comes first.
package struct EvaluationRound: Sendable {
    /// What a client that was asked has answered.
    package struct Place: Sendable, Hashable {
        package enum State: String, Sendable, Codable {
            /// After the evaluation's end: the client did not answer.
            case awaited
            case answered
            /// It has no held-out examples.
            case withoutData = "without_data"
            /// It was revoked or has ended.
            case left
        }

        package var state: State
        /// The client's rank when it was asked.
        package let rank: Int
        /// The federation's revision when this last changed.
        package var revision: Int64
        package var answer: EvaluationAnswer?
        package var receivedAt: Timestamp?
        /// Why the first answer was refused that could not be taken.
        package var refusal: String?

        package init(
            state: State = .awaited, rank: Int, revision: Int64, answer: EvaluationAnswer? = nil,
            receivedAt: Timestamp? = nil, refusal: String? = nil
        ) {
            self.state = state
            self.rank = rank
            self.revision = revision
            self.answer = answer
            self.receivedAt = receivedAt
            self.refusal = refusal
        }
    }

    /// The round whose adapter is scored.
    package let round: Int
    package let openedAt: Timestamp
    package let deadline: Timestamp
    /// nil while it is open.
    package internal(set) var closedAt: Timestamp?
    package internal(set) var places: ClientTable<Place>
    /// The figures of an evaluation that has ended.
    package internal(set) var figures: EvaluationFigures?
    /// What the evaluations so far have led to; of an open one, those before it.
    package internal(set) var standing: EvaluationStanding

    package init(
        round: Int, openedAt: Timestamp, deadline: Timestamp, closedAt: Timestamp? = nil,
        places: ClientTable<Place> = [:], figures: EvaluationFigures? = nil, standing: EvaluationStanding
    ) {
        self.round = round
        self.openedAt = openedAt
        self.deadline = deadline
        self.closedAt = closedAt
        self.places = places
        self.figures = figures
        self.standing = standing
    }

    package var isOpen: Bool { closedAt == nil }

    /// Whether it waits for this client's answer.
    package func awaits(_ client: ClientName) -> Bool { isOpen && places[client]?.state == .awaited }

    /// Ends it, with its figures.
    mutating func close(at now: Timestamp, best: EvaluationPolicy.Best?) {
        closedAt = now
        figures = EvaluationFigures(of: places, seconds: now.seconds(since: openedAt), best: best)
    }
}

extension EvaluationRound.Place: Tallied {
    /// Counts over an evaluation's places.
    package struct Tally: ClientTally {
        package private(set) var awaited = 0
        package private(set) var answered = 0
        package private(set) var withoutData = 0
        package private(set) var refused = 0

        package init() {}
        package mutating func add(_ place: EvaluationRound.Place) { count(place, by: 1) }
        package mutating func remove(_ place: EvaluationRound.Place) { count(place, by: -1) }

        private mutating func count(_ place: EvaluationRound.Place, by step: Int) {
            switch place.state {
            case .awaited: awaited += step
            case .answered: answered += step
            case .withoutData: withoutData += step
            case .left: break
            }
            if place.refusal != nil { refused += step }
        }
    }
}

/// An evaluation without its places, as lists of rounds have it.
package struct ListedEvaluation: Sendable {
    package let round: Int
    package let openedAt: Timestamp
    package let deadline: Timestamp
    package let closedAt: Timestamp?
    /// Of an open evaluation, what is counted by now.
    package let figures: EvaluationFigures

    package init(
        round: Int, openedAt: Timestamp, deadline: Timestamp, closedAt: Timestamp?, figures: EvaluationFigures
    ) {
        self.round = round
        self.openedAt = openedAt
        self.deadline = deadline
        self.closedAt = closedAt
        self.figures = figures
    }

    package init(_ evaluation: EvaluationRound) {
        let tally = evaluation.places.tally
        self.init(
            round: evaluation.round, openedAt: evaluation.openedAt, deadline: evaluation.deadline,
            closedAt: evaluation.closedAt,
            figures: evaluation.figures
                ?? EvaluationFigures(
                    selected: evaluation.places.count, received: tally.answered, withoutData: tally.withoutData,
                    refused: tally.refused))
    }
}
