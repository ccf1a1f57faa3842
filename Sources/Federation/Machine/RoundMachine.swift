/// The life of one round, as a value that performs no effects.
///
/// - Invariant: a client holds at most one update; only a collecting round takes updates.
package struct RoundMachine: Sendable {
    /// What the round does now.
    package enum Phase: Sendable, Hashable {
        /// Exits: `aggregating`, `failed`.
        case collecting
        /// Exits: `published`, `failed`; `collecting` where an update's bytes are found to be lost.
        case aggregating
        case published(PublishedAdapter)
        case failed(reason: String)
    }

    /// The state of a selected client in the round.
    package struct Participation: Sendable, Hashable {
        /// The client's answer so far.
        package enum State: String, Sendable, Codable {
            case awaited
            case answered
            /// Revoked before it answered.
            case left
            /// It said that it will send nothing. The round does not wait for it, and asks it again only when extended.
            case declined
            /// It had not answered when the round closed; the round reopened for others only.
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
        /// The highest rank that a plan of this round has given, where the client's rank has changed since.
        package var rank: Int?

        package init(state: State, revision: Int64, rank: Int? = nil) {
            self.state = state
            self.revision = revision
            self.rank = rank
        }
    }

    package let number: Int
    package let openedAt: Timestamp
    /// The quorum of the policy when the round opened.
    package let minimumUpdates: Int
    /// The coverage that the policy required when the round opened: how many updates must reach every rank component.
    package let minimumCoverage: Int?
    /// The number of updates that closes the round early; nil for none.
    package internal(set) var targetUpdates: Int?
    package internal(set) var phase: Phase
    package internal(set) var deadline: Timestamp
    package internal(set) var closedAt: Timestamp?
    package internal(set) var participations: ClientTable<Participation>
    package internal(set) var updates: ClientTable<Update>
    package internal(set) var refusals: [Refusal]
    /// The decisions about the round, oldest first; only the newest `AuditEvent.decisionLimit`.
    package internal(set) var decisions: [AuditEvent]
    /// Whether the deadline was already extended because updates were lost.
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
        participations = ClientTable(selected.map { ($0, Participation(state: .awaited, revision: revision)) })
        updates = [:]
        refusals = []
        decisions = []
        hasReopened = false
    }

    /// Restores a stored round.
    package init(
        number: Int, openedAt: Timestamp, minimumUpdates: Int, minimumCoverage: Int?, targetUpdates: Int?, phase: Phase,
        deadline: Timestamp, closedAt: Timestamp?, participations: ClientTable<Participation>,
        updates: ClientTable<Update>, refusals: [Refusal], decisions: [AuditEvent], hasReopened: Bool
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

    /// The updates that count, in ascending order of client name.
    package var accepted: [Update] { updates.values.filter { $0.status == .accepted } }

    /// The number of updates that count.
    package var acceptedCount: Int { updates.tally.accepted }

    /// The number of updates that the server holds, including those left out.
    package var receivedCount: Int { updates.tally.held }

    /// The total length of the updates that the server holds.
    package var heldByteCount: Int { updates.tally.heldByteCount }

    /// The clients whose answer is in this state, in ascending order of name.
    package func clients(in state: Participation.State) -> [ClientName] {
        participations.filter { $0.value.state == state }.map(\.key)
    }

    /// The update of a client that the server holds; nil where there is none, or it was lost or taken back.
    package func held(of client: ClientName) -> Update? {
        updates[client].flatMap { $0.status.isHeld ? $0 : nil }
    }

    /// Whether the round lost the client's update that followed the plan of round `began`.
    func isLost(_ client: ClientName, began: Int) -> Bool {
        guard let update = updates[client], case .lost = update.status else { return false }
        return (update.began ?? number) == began
    }

    /// The means of the metrics of the accepted updates, weighted by samples.
    package var metrics: Metrics {
        func mean(_ value: (Metrics) -> Double?) -> Double? {
            // Old metrics, stored before there were limits, may be too large to be summed.
            let measured = accepted.compactMap { update in value(update.metrics).map { (Double(update.samples), $0) } }
                .filter { abs($0.1) <= Metrics.largest }
            let weight = measured.reduce(0) { $0 + $1.0 }
            return weight > 0 ? measured.reduce(0) { $0 + $1.0 * $1.1 } / weight : nil
        }
        return Metrics(loss: mean(\.loss), accuracy: mean(\.accuracy))
    }
}

extension RoundMachine {
    /// Why an update of this client would not be taken; nil where it would.
    package func objection(to client: ClientName) -> RoundError? {
        guard phase == .collecting else { return .closed(round: number, current: number) }
        guard let place = participations[client], place.state != .left else { return .notSelected(round: number) }
        guard place.state != .answered else { return .updateExists(round: number) }
        return nil
    }

    /// Takes a durable update.
    package mutating func accept(_ update: Update, revision: Int64) throws(RoundError) {
        if let objection = objection(to: update.client) { throw objection }
        takeUnchecked(update, revision: revision)
    }

    /// Takes a durable update without asking for an objection, since an asynchronous federation selects nobody.
    mutating func takeUnchecked(_ update: Update, revision: Int64) {
        updates[update.client] = update
        participations[update.client] = Participation(state: .answered, revision: revision)
    }

    /// Records a refused update; the client remains awaited. Returns the round's record for this client and code.
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

    /// Selects more clients to replace the silent ones. The number of updates that closes the round stays the same.
    mutating func invite(_ clients: [ClientName], revision: Int64) {
        targetUpdates = wanted
        for client in clients { join(client, revision: revision) }
    }

    /// The number of updates that the round wants. It is never below the quorum, even when clients have left.
    private var wanted: Int { max(targetUpdates ?? participations.tally.selected, minimumUpdates) }

    /// How many more updates the round needs, at least 1: the larger gap, to the wanted updates or to the required
    /// coverage.
    func missing(in adapter: FederationSettings.Adapter) -> Int {
        let uncovered = minimumCoverage.map { $0 - (coverage(in: adapter) ?? $0) } ?? 0
        return max(1, wanted - acceptedCount, uncovered)
    }

    /// Notes that a client's rank has changed. An update of the earlier rank may still arrive.
    package mutating func changeRank(of client: ClientName, from rank: Int, revision: Int64) {
        guard let place = participations[client], place.state == .awaited else { return }
        participations[client] = Participation(state: .awaited, revision: revision, rank: max(place.rank ?? rank, rank))
    }

    /// Takes a client out of the selection; an update that it sent before stays.
    package mutating func leave(_ client: ClientName, revision: Int64) {
        guard participations[client]?.state == .awaited else { return }
        participations[client] = Participation(state: .left, revision: revision)
    }

    /// Notes that a client will send nothing. A client that is not selected is then kept out of the selection.
    mutating func decline(_ client: ClientName, revision: Int64) {
        participations[client] = Participation(state: .declined, revision: revision, rank: participations[client]?.rank)
    }

    /// Gives an update up. The round does not wait for another one, but its client may send one unless it was revoked.
    mutating func takeBack(_ client: ClientName, reason: String, isRevoked: Bool, revision: Int64) {
        updates[client]?.status = .takenBack(reason: reason)
        participations[client] = Participation(
            state: isRevoked ? .left : .declined, revision: revision, rank: participations[client]?.rank)
    }

    /// Adds a decision to the round's record.
    mutating func note(_ event: AuditEvent) {
        guard AuditEvent.decisions.contains(event.kind) else { return }
        decisions.append(event)
        if decisions.count > AuditEvent.decisionLimit { decisions.removeFirst() }
    }

    /// Ends the round with its published adapter.
    package mutating func publish(_ adapter: PublishedAdapter) {
        phase = .published(adapter)
        dropSizes()
    }

    /// Drops the factor sizes, which are compared only until the round ends.
    private mutating func dropSizes() {
        for client in updates.keys { updates[client]?.factorSizes = nil }
    }

    /// Ends the round without an adapter. Its updates are left out with the same reason.
    package mutating func fail(reason: String, at now: Timestamp) {
        phase = .failed(reason: reason)
        closedAt = closedAt ?? now
        for (client, update) in updates where update.status == .accepted {
            updates[client]?.status = .leftOut(reason: reason)
        }
        dropSizes()
    }
}
