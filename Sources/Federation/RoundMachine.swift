/// The life of one round, as a value that performs no effects.
///
/// - Invariant: a client holds at most one update; only a collecting round takes updates.
package struct RoundMachine: Sendable {
    package enum Phase: Sendable, Hashable {
        /// Exits: `aggregating`, `failed`.
        case collecting
        /// Exits: `published`, `failed`.
        case aggregating
        case published(PublishedAdapter)
        case failed(reason: String)
    }

    /// A selected client's part in the round.
    package struct Place: Sendable, Hashable {
        package enum State: String, Sendable, Codable {
            case awaited
            case answered
            /// Revoked before it answered.
            case left
        }

        package var state: State
        /// The federation's revision when this last changed.
        package var revision: Int64
        /// The highest rank that a plan of this round has named, where the client's rank is another one by now.
        package var rank: Int?

        package init(state: State, revision: Int64, rank: Int? = nil) {
            self.state = state
            self.revision = revision
            self.rank = rank
        }
    }

    package let number: Int
    package let openedAt: Instant
    /// The quorum, as the policy stood when the round opened.
    package let minimumUpdates: Int
    /// How many updates close the round early, if any number does.
    package let targetUpdates: Int?
    package private(set) var phase: Phase
    package private(set) var deadline: Instant
    package private(set) var closedAt: Instant?
    package private(set) var places: [ClientName: Place]
    package private(set) var updates: [ClientName: Update]
    package private(set) var refusals: [Refusal]

    /// Opens a round for the selected clients.
    package init(
        number: Int, openedAt: Instant, policy: RoundPolicy, selected: [ClientName], cohort: Int, revision: Int64
    ) {
        self.number = number
        self.openedAt = openedAt
        minimumUpdates = policy.minimumUpdates
        targetUpdates = policy.targetUpdates ?? (policy.overSelection > 0 ? cohort : nil)
        phase = .collecting
        deadline = openedAt.adding(seconds: policy.deadlineSeconds)
        places = Dictionary(uniqueKeysWithValues: selected.map { ($0, Place(state: .awaited, revision: revision)) })
        updates = [:]
        refusals = []
    }

    /// Puts a stored round back together.
    package init(
        number: Int, openedAt: Instant, minimumUpdates: Int, targetUpdates: Int?, phase: Phase, deadline: Instant,
        closedAt: Instant?, places: [ClientName: Place], updates: [ClientName: Update], refusals: [Refusal]
    ) {
        self.number = number
        self.openedAt = openedAt
        self.minimumUpdates = minimumUpdates
        self.targetUpdates = targetUpdates
        self.phase = phase
        self.deadline = deadline
        self.closedAt = closedAt
        self.places = places
        self.updates = updates
        self.refusals = refusals
    }

    /// The updates that count, in ascending client name.
    package var accepted: [Update] {
        updates.values.filter { $0.status == .accepted }.sorted { $0.client < $1.client }
    }

    /// The sample-weighted means of what the clients of the accepted updates measured.
    package var metrics: Metrics {
        func mean(_ value: (Metrics) -> Double?) -> Double? {
            var sum = 0.0
            var weight = 0.0
            for update in accepted {
                guard let measured = value(update.metrics) else { continue }
                sum += Double(update.samples) * measured
                weight += Double(update.samples)
            }
            return weight > 0 ? sum / weight : nil
        }
        return Metrics(loss: mean(\.loss), accuracy: mean(\.accuracy))
    }
}

extension RoundMachine {
    /// Whether a client may have an update taken; `nil` when it may.
    package func objection(to client: ClientName) -> RoundError? {
        guard phase == .collecting else { return .closed(round: number, current: number) }
        guard let place = places[client], place.state != .left else { return .notSelected(round: number) }
        guard updates[client] == nil else { return .updateExists(round: number) }
        return nil
    }

    /// Takes a durable update.
    package mutating func accept(_ update: Update, revision: Int64) throws(RoundError) {
        if let objection = objection(to: update.client) { throw objection }
        updates[update.client] = update
        places[update.client] = Place(state: .answered, revision: revision)
    }

    /// Puts a refused update on record; the client's place stays awaited.
    package mutating func refuse(_ refusal: Refusal) {
        refusals.removeAll { $0.client == refusal.client && $0.code == refusal.code }
        refusals.append(refusal)
    }

    /// Selects a client that joined late.
    package mutating func join(_ client: ClientName, revision: Int64) {
        places[client] = Place(state: .awaited, revision: revision)
    }

    /// Notes that a client's rank is another one from now on: an update of the rank that it was may be on its way.
    package mutating func changeRank(of client: ClientName, from rank: Int, revision: Int64) {
        guard let place = places[client], place.state == .awaited else { return }
        places[client] = Place(state: .awaited, revision: revision, rank: max(place.rank ?? rank, rank))
    }

    /// Takes a client out of the selection; an update that it sent before stays.
    package mutating func leave(_ client: ClientName, revision: Int64) {
        guard places[client]?.state == .awaited else { return }
        places[client] = Place(state: .left, revision: revision)
    }

    package enum Closing: Sendable, Hashable {
        case notYet
        case aggregate
        case extended(until: Instant)
        case abandoned(reason: String)
    }

    /// Closes, extends or abandons the round if its time has come.
    package mutating func closeIfDue(at now: Instant, policy: RoundPolicy) -> Closing {
        guard phase == .collecting else { return .notYet }
        let received = updates.count
        if received >= minimumUpdates {
            let everybody = places.values.allSatisfy { $0.state != .awaited }
            if everybody || targetUpdates.map({ received >= $0 }) == true || now >= deadline {
                phase = .aggregating
                closedAt = now
                return .aggregate
            }
        }
        guard now >= deadline else { return .notYet }
        switch policy.onMissedQuorum {
        case .extend:
            deadline = now.adding(seconds: policy.deadlineSeconds)
            return .extended(until: deadline)
        case .abandon:
            let reason = "\(received) of at least \(minimumUpdates) updates arrived by the deadline"
            fail(reason: reason, at: now)
            return .abandoned(reason: reason)
        }
    }

    package mutating func publish(_ adapter: PublishedAdapter) { phase = .published(adapter) }

    /// Ends the round without an adapter; its updates are left out for the same reason.
    package mutating func fail(reason: String, at now: Instant) {
        phase = .failed(reason: reason)
        closedAt = closedAt ?? now
        for (client, update) in updates where update.status == .accepted {
            updates[client]?.status = .leftOut(reason: reason)
        }
    }
}
