import Federation

/// The rows of the jobs that have a holder, and the last fence of each job.
struct LeaseRows: Sendable {
    private struct Holding {
        let fence: Int64
        var expiresAt: Timestamp
        /// true while the step that spends the lease is being stored.
        var isSpent = false
    }

    private var holdings: [Job: Holding] = [:]
    private var fences: [Job: Int64] = [:]
    private var done: Set<Job> = []

    mutating func take(_ job: Job, at now: Timestamp, seconds: Double, mutant: Mutant?) -> Lease? {
        if let held = holdings[job] {
            guard mutant != .endlessLease, !held.isSpent, held.expiresAt <= now else { return nil }
        }
        if mutant == .doneForGood, done.contains(job) { return nil }
        let fence = mutant == .sharedFence ? 1 : fences[job, default: 0] + 1
        fences[job] = fence
        holdings[job] = Holding(fence: fence, expiresAt: now.adding(seconds: seconds))
        return Lease(job: job, fence: fence)
    }

    mutating func renew(_ lease: Lease, at now: Timestamp, seconds: Double) -> Bool {
        guard let held = holdings[lease.job], held.fence == lease.fence, !held.isSpent else { return false }
        holdings[lease.job]?.expiresAt = now.adding(seconds: seconds)
        return true
    }

    /// Ends a lease: the job is done, or others may take it.
    mutating func end(_ lease: Lease) {
        if holdings[lease.job]?.isSpent == true { done.insert(lease.job) }
        if holdings[lease.job]?.fence == lease.fence { holdings[lease.job] = nil }
    }

    /// false unless the lease is the newest of its job and is not spent.
    mutating func spend(_ lease: Lease) -> Bool {
        guard let held = holdings[lease.job], held.fence == lease.fence, !held.isSpent else { return false }
        holdings[lease.job]?.isSpent = true
        return true
    }

    mutating func unspend(_ lease: Lease) {
        if holdings[lease.job]?.fence == lease.fence { holdings[lease.job]?.isSpent = false }
    }
}
