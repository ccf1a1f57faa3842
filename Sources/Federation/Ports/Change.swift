/// A change by a step of the machine. A store applies all changes of a step in one transaction.
package enum Change: Sendable {
    case settings(FederationSettings)
    case client(Client)
    /// The number of changes that a client has made to its claims since a round closed last.
    case clientChanges(of: ClientName, Int)
    /// A round has closed: all clients' numbers of changes begin at zero again.
    case clientChangesCounted
    /// The round's own columns; participations, updates and refusals are separate changes.
    case round(RoundMachine)
    case participations(ClientTable<RoundMachine.Participation>, round: Int)
    case place(ClientName, round: Int, RoundMachine.Participation)
    /// A new update, whose bytes are a published blob.
    case update(Update, round: Int)
    /// An update's new status. A lost update no longer needs its blob.
    case status(Update, round: Int)
    /// The round's updates no longer need their blobs. With a reason, those that still counted are left out for it.
    case releaseUpdates(round: Int, leftOutFor: String?)
    case refusal(Refusal, round: Int)
    /// The evaluation's own columns; its places are separate changes.
    case evaluation(EvaluationRound)
    case evaluationPlaces(ClientTable<EvaluationRound.Place>, round: Int)
    case token(IssuedToken)
    case tokenWithdrawn(id: String)
    /// Clients that the next event names by their list's digest. The list is stored once, however often it comes.
    case list(ClientList)
    case event(AuditEvent)

    /// The client that is new or has changed.
    package var client: ClientName? { if case .client(let client) = self { client.name } else { nil } }
}

/// One step of a federation, decided by the machine under the federation's lock.
package struct FederationStep: Sendable {
    /// The federation after the step. If anything changed, its revision is the next one.
    package let machine: FederationMachine
    /// Empty where nothing must be stored.
    package let changes: [Change]
    /// The lease that the step spends. Its job is done in the same transaction; otherwise the step is `.fenced`.
    package let spending: Lease?

    package init(machine: FederationMachine, changes: [Change], spending: Lease? = nil) {
        self.machine = machine
        self.changes = changes
        self.spending = spending
    }
}
