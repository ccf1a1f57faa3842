/// The notice that a step of a federation was stored.
package struct StoredStep: Sendable, Hashable {
    package let federation: FederationID
    /// The revision after the step.
    package let revision: Int64

    package init(federation: FederationID, revision: Int64) {
        self.federation = federation
        self.revision = revision
    }
}

/// Announces stored steps, so that a server learns what another one has stored.
///
/// Steps of a federation arrive in the order of their revisions. A step may be skipped where a newer one of the same
/// federation follows.
package protocol StepFeed: Sendable {
    /// All steps that are stored from now on. Closing the store delivers those of its own, and ends the sequence.
    func steps() -> AsyncStream<StoredStep>
}
