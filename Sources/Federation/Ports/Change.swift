/// What a step of the machine changed; a store applies all changes of a step in one transaction.
package enum Change: Sendable {
    case settings(FederationSettings)
    case client(Client)
    /// The round's own columns; participations, updates and refusals come as changes of their own.
    case round(RoundMachine)
    case participations([ClientName: RoundMachine.Participation], round: Int)
    case place(ClientName, round: Int, RoundMachine.Participation)
    /// Its bytes are a published blob.
    case update(Update, round: Int)
    /// An update counts no more, or counts again; what is lost needs its blob no more.
    case status(Update, round: Int)
    /// The round's updates need their blobs no more; with a reason, those that still counted are left out for it.
    case releaseUpdates(round: Int, leftOutFor: String?)
    case refusal(Refusal, round: Int)
    case token(IssuedToken)
    case tokenWithdrawn(id: String)
    /// Clients of the federation whom the next event has by their list's digest; stored once, however often it comes.
    case list(ClientList)
    case event(AuditEvent)
}

/// One step of a federation as the machine decided it under the federation's lock.
package struct FederationStep: Sendable {
    /// The federation after it, at the next revision if anything changed.
    package let machine: FederationMachine
    /// Nothing where nothing is to be stored.
    package let changes: [Change]
    /// The lease that the step is paid with: its job is done together with it, or the step is `.fenced`.
    package let spending: Lease?

    package init(machine: FederationMachine, changes: [Change], spending: Lease? = nil) {
        self.machine = machine
        self.changes = changes
        self.spending = spending
    }
}
