/// Work that one server at a time does for a federation.
package struct Job: Sendable, Hashable {
    package enum Kind: Sendable, Hashable {
        /// Adding up a round.
        case aggregation(round: Int)
        /// Folding old merges into their running total.
        case folding
    }

    package let federation: FederationID
    package let kind: Kind

    package init(_ kind: Kind, of federation: FederationID) {
        self.kind = kind
        self.federation = federation
    }
}

/// The right to do a job until it expires.
package struct Lease: Sendable, Hashable {
    package let job: Job
    /// Grows with every lease of the job: who was paused past the end of its lease has a lower one than its successor.
    package let fence: Int64

    package init(job: Job, fence: Int64) {
        self.job = job
        self.fence = fence
    }
}

/// Gives out jobs, each to one holder at a time.
///
/// A lease that has expired can be taken by another; its holder may still run, so what it does must be paid with the
/// lease: a step that spends one (see `FederationStep.spending`) is stored only while the fence is the newest.
package protocol JobStore: Sendable {
    /// nil while somebody else holds the job.
    func take(_ job: Job, seconds: Double) async throws(StoreError) -> Lease?
    /// Extends a lease to `seconds` from now; false where somebody else has the job, or it is done.
    func renew(_ lease: Lease, seconds: Double) async throws(StoreError) -> Bool
    /// Lets another take the job at once.
    func giveUp(_ lease: Lease) async throws(StoreError)
}
