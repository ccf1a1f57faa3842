/// Work for a federation that one server at a time does.
package struct Job: Sendable, Hashable {
    package enum Kind: Sendable, Hashable {
        /// Aggregating a round.
        case aggregation(round: Int)
        /// Adding one part of a round up (see `PartStore`).
        case part(round: Int, index: Int)
        /// Folding old merges into their running total.
        case folding
        /// Drawing version 0.
        case drawing
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
    /// Increases with every lease of the job. A holder whose lease expired during a pause has a lower fence than its
    /// successor.
    package let fence: Int64

    package init(job: Job, fence: Int64) {
        self.job = job
        self.fence = fence
    }
}

/// Gives each job to one holder at a time.
///
/// After a lease expires, another holder can take the job while the first one still runs. So its result must be stored
/// by a step that spends the lease (see `FederationStep.spending`). Such a step is stored only while its fence is the
/// newest.
package protocol JobStore: Sendable {
    /// Takes the job's lease for `seconds`; nil while somebody else holds it.
    func take(_ job: Job, seconds: Double) async throws(StoreError) -> Lease?
    /// Extends a lease to `seconds` from now; false where somebody else has the job or it is done.
    func renew(_ lease: Lease, seconds: Double) async throws(StoreError) -> Bool
    /// Releases the lease, so that another holder can take the job at once.
    func giveUp(_ lease: Lease) async throws(StoreError)
    /// Ends a job whose result is stored without a step. Where several servers share the store, nobody takes it again.
    func finish(_ lease: Lease) async throws(StoreError)
}
