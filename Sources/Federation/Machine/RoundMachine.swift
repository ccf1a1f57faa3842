/// The life of one round, as a value that performs no effects.
///
/// - Invariant: a client holds at most one update; only a collecting round takes updates.
package struct RoundMachine: Sendable {
    package enum Phase: Sendable, Hashable {
        /// Exits: `aggregating`, `failed`.
        case collecting
        /// Exits: `published`, `failed`; `collecting` where an update's bytes turn out to be lost.
        case aggregating
        case published(PublishedAdapter)
        case failed(reason: String)
    }

    /// A selected client's part in the round.
    package struct Participation: Sendable, Hashable {
        package enum State: String, Sendable, Codable {
            case awaited
            case answered
            /// Revoked before it answered.
            case left
            /// Said that it will send nothing: it is not waited for, and asked again only if the round is extended.
            case declined
            /// Had not answered when the round closed, which then opened again for others: it is not waited for.
            case cut
        }

        package var state: State
        /// Whether the round still asks the client for an update, or has one.
        package var isSelected: Bool {
            switch state {
            case .awaited, .answered, .cut: true
            case .left, .declined: false
            }
        }

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
    package let openedAt: Timestamp
    /// The quorum, as the policy stood when the round opened.
    package let minimumUpdates: Int
    /// How many updates must reach every rank component, as the policy stood when the round opened.
    package let minimumCoverage: Int?
    /// How many updates close the round early, if any number does.
    package internal(set) var targetUpdates: Int?
    package internal(set) var phase: Phase
    package internal(set) var deadline: Timestamp
    package internal(set) var closedAt: Timestamp?
    package internal(set) var participations: [ClientName: Participation]
    package internal(set) var updates: [ClientName: Update]
    package internal(set) var refusals: [Refusal]
    /// What was decided about the round, oldest first; the newest `AuditEvent.decisionLimit`.
    package internal(set) var decisions: [AuditEvent]
    /// Whether the deadline has moved on once because updates were lost.
    package internal(set) var hasReopened: Bool

    /// Opens a round for the selected clients.
    package init(
        number: Int, openedAt: Timestamp, policy: RoundPolicy, selected: [ClientName], cohort: Int, revision: Int64
    ) {
        self.number = number
        self.openedAt = openedAt
        minimumUpdates = policy.minimumUpdates
        minimumCoverage = policy.minimumCoverage
        targetUpdates = policy.buffer?.size ?? policy.targetUpdates ?? (policy.overSelection > 0 ? cohort : nil)
        phase = .collecting
        deadline = openedAt.adding(seconds: policy.deadlineSeconds)
        participations = Dictionary(
            uniqueKeysWithValues: selected.map { ($0, Participation(state: .awaited, revision: revision)) })
        updates = [:]
        refusals = []
        decisions = []
        hasReopened = false
    }

    /// Puts a stored round back together.
    package init(
        number: Int, openedAt: Timestamp, minimumUpdates: Int, minimumCoverage: Int?, targetUpdates: Int?, phase: Phase,
        deadline: Timestamp, closedAt: Timestamp?, participations: [ClientName: Participation],
        updates: [ClientName: Update],
        refusals: [Refusal], decisions: [AuditEvent], hasReopened: Bool
    ) {
        self.number = number
        self.openedAt = openedAt
        self.minimumUpdates = minimumUpdates
        self.minimumCoverage = minimumCoverage
        self.targetUpdates = targetUpdates
        self.phase = phase
        self.deadline = deadline
        self.closedAt = closedAt
        self.participations = participations
        self.updates = updates
        self.refusals = refusals
        self.decisions = decisions
        self.hasReopened = hasReopened
    }

    /// The updates that count, in ascending client name.
    package var accepted: [Update] {
        updates.values.filter { $0.status == .accepted }.sorted { $0.client < $1.client }
    }

    /// How many updates count.
    package var acceptedCount: Int { updates.values.count { $0.status == .accepted } }

    /// How many updates the server holds, counting or left out.
    package var receivedCount: Int { updates.values.count { $0.status.isHeld } }

    /// How long the updates are together that the server holds.
    package var heldByteCount: Int {
        updates.values.reduce(0) { sum, update in
            guard update.status.isHeld else { return sum }
            let (total, overflow) = sum.addingReportingOverflow(update.byteCount)
            return overflow ? .max : total
        }
    }

    /// The update of a client that the server holds; nil where it was lost or taken back.
    package func held(of client: ClientName) -> Update? {
        updates[client].flatMap { $0.status.isHeld ? $0 : nil }
    }

    /// Whether the round lost the update of a client that followed round `began`'s plan.
    func isLost(_ client: ClientName, began: Int) -> Bool {
        guard let update = updates[client], case .lost = update.status else { return false }
        return (update.began ?? number) == began
    }

    /// The sample-weighted means of what the clients of the accepted updates measured.
    package var metrics: Metrics {
        func mean(_ value: (Metrics) -> Double?) -> Double? {
            // What is stored from before metrics were bounded may still be too large to be added up.
            let measured = accepted.compactMap { update in value(update.metrics).map { (Double(update.samples), $0) } }
                .filter { abs($0.1) <= Metrics.largest }
            let weight = measured.reduce(0) { $0 + $1.0 }
            return weight > 0 ? measured.reduce(0) { $0 + $1.0 * $1.1 } / weight : nil
        }
        return Metrics(loss: mean(\.loss), accuracy: mean(\.accuracy))
    }
}

extension RoundMachine {
    /// Whether a client may have an update taken; `nil` when it may.
    package func objection(to client: ClientName) -> RoundError? {
        guard phase == .collecting else { return .closed(round: number, current: number) }
        guard let place = participations[client], place.state != .left else { return .notSelected(round: number) }
        guard place.state != .answered else { return .updateExists(round: number) }
        return nil
    }

    /// Takes a durable update.
    package mutating func accept(_ update: Update, revision: Int64) throws(RoundError) {
        if let objection = objection(to: update.client) { throw objection }
        take(update, revision: revision)
    }

    /// Takes a durable update, of whoever it is: nobody is selected in an asynchronous federation.
    mutating func take(_ update: Update, revision: Int64) {
        updates[update.client] = update
        participations[update.client] = Participation(state: .answered, revision: revision)
    }

    /// Puts a refused update on record; the client's place stays awaited. The result is what the round now shows of
    /// this client and code.
    @discardableResult
    package mutating func refuse(_ refusal: Refusal) -> Refusal {
        var shown = refusal
        if let index = refusals.firstIndex(where: { $0.client == refusal.client && $0.code == refusal.code }) {
            shown.count = refusals.remove(at: index).count + 1
        }
        refusals.append(shown)
        return shown
    }

    /// Selects a client that joined late.
    package mutating func join(_ client: ClientName, revision: Int64) {
        participations[client] = Participation(state: .awaited, revision: revision)
    }

    /// Selects more clients in place of the silent ones; the round then closes at as many updates as it wanted before.
    mutating func invite(_ clients: [ClientName], revision: Int64) {
        targetUpdates = wanted
        for client in clients { join(client, revision: revision) }
    }

    /// How many updates the round wants; never fewer than let it close, whoever has left it.
    private var wanted: Int { max(targetUpdates ?? participations.values.count(where: \.isSelected), minimumUpdates) }

    /// How many updates are missing, at least, in a round that could not close: where none is to what it wanted, those
    /// are that reach every rank component.
    func missing(in adapter: FederationSettings.Adapter) -> Int {
        let uncovered = minimumCoverage.map { $0 - (coverage(in: adapter) ?? $0) } ?? 0
        return max(1, wanted - acceptedCount, uncovered)
    }

    /// Notes that a client's rank is another one from now on: an update of the rank that it was may be on its way.
    package mutating func changeRank(of client: ClientName, from rank: Int, revision: Int64) {
        guard let place = participations[client], place.state == .awaited else { return }
        participations[client] = Participation(state: .awaited, revision: revision, rank: max(place.rank ?? rank, rank))
    }

    /// Takes a client out of the selection; an update that it sent before stays.
    package mutating func leave(_ client: ClientName, revision: Int64) {
        guard participations[client]?.state == .awaited else { return }
        participations[client] = Participation(state: .left, revision: revision)
    }

    /// Notes that a client will send nothing; one that is not in the selection is kept out of it.
    mutating func decline(_ client: ClientName, revision: Int64) {
        participations[client] = Participation(state: .declined, revision: revision, rank: participations[client]?.rank)
    }

    /// Gives an update up. Nobody waits for another one of its client, which may send one all the same unless it was
    /// revoked.
    mutating func takeBack(_ client: ClientName, reason: String, isRevoked: Bool, revision: Int64) {
        updates[client]?.status = .takenBack(reason: reason)
        participations[client] = Participation(
            state: isRevoked ? .left : .declined, revision: revision, rank: participations[client]?.rank)
    }

    /// Shows a decision about the round.
    mutating func note(_ event: AuditEvent) {
        guard AuditEvent.decisions.contains(event.kind) else { return }
        decisions.append(event)
        if decisions.count > AuditEvent.decisionLimit { decisions.removeFirst() }
    }

    package mutating func publish(_ adapter: PublishedAdapter) {
        phase = .published(adapter)
        dropSizes()
    }

    /// Nothing is held against the others of a round that has ended.
    private mutating func dropSizes() {
        for client in updates.keys { updates[client]?.factorSizes = nil }
    }

    /// Ends the round without an adapter; its updates are left out for the same reason.
    package mutating func fail(reason: String, at now: Timestamp) {
        phase = .failed(reason: reason)
        closedAt = closedAt ?? now
        for (client, update) in updates where update.status == .accepted {
            updates[client]?.status = .leftOut(reason: reason)
        }
        dropSizes()
    }
}
