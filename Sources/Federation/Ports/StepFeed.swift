/// The notice that a federation is stored at another revision, which is that of a new step but for its kind.
package struct StoredStep: Sendable, Hashable {
    package let federation: FederationID
    /// The revision after the step.
    package let revision: Int64
    package let kind: Kind

    package enum Kind: Sendable, Hashable {
        case stored
        /// The store has an older revision than it had: it was restored, or a failover lost commits.
        case rewound
        /// The federation is not stored any more.
        case gone
    }

    package init(federation: FederationID, revision: Int64, kind: Kind = .stored) {
        self.federation = federation
        self.revision = revision
        self.kind = kind
    }
}

/// Announces stored steps, so that a server learns what another one has stored.
///
/// Steps of a federation arrive in the order of their revisions. A step may be skipped where a newer one of the same
/// federation follows.
package protocol StepFeed: Sendable {
    /// All steps that are stored from now on. Closing the store delivers those of its own, and ends the sequence.
    func steps() -> AsyncStream<StoredStep>
    /// Whether other servers store steps too.
    var isShared: Bool { get }
    /// Whether this server may have missed a revocation by another one. Then no token counts.
    var isBehind: Bool { get }
}

extension StepFeed {
    package var isShared: Bool { false }
    package var isBehind: Bool { false }
}
