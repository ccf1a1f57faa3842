/// That a step of a federation was stored.
package struct StoredStep: Sendable, Hashable {
    package let federation: FederationID
    /// After the step.
    package let revision: Int64

    package init(federation: FederationID, revision: Int64) {
        self.federation = federation
        self.revision = revision
    }
}

/// Tells followers of steps, so that a server hears what another one has stored.
///
/// Steps come in the order of their revisions. Some may be left out where newer ones of the same federation came since.
package protocol StepFeed: Sendable {
    /// All steps that are stored from now on, until the store closes.
    func steps() -> AsyncStream<StoredStep>
}
