import Federation
import Synchronization

/// The leases of jobs, in the memory of the only server that has the data directory.
///
/// Leases end with the process, and no other process can have the directory earlier.
final class LeaseTable: Sendable {
    private struct Holding {
        let fence: Int64
        var expiresAt: Timestamp
        /// true while the step that spends the lease is being stored.
        var isSpent = false
    }

    private struct State {
        var holdings: [Job: Holding] = [:]
        var lastFence: Int64 = 0
    }

    private let clock: any WallClock
    private let state = Mutex(State())

    init(clock: any WallClock) { self.clock = clock }

    func take(_ job: Job, seconds: Double) -> Lease? {
        let now = clock.now()
        return state.withLock { state in
            if let held = state.holdings[job], held.isSpent || now < held.expiresAt { return nil }
            state.lastFence += 1
            state.holdings[job] = Holding(fence: state.lastFence, expiresAt: now.adding(seconds: seconds))
            return Lease(job: job, fence: state.lastFence)
        }
    }

    func renew(_ lease: Lease, seconds: Double) -> Bool {
        let now = clock.now()
        return state.withLock { state in
            guard state.holdings[lease.job]?.fence == lease.fence else { return false }
            state.holdings[lease.job]?.expiresAt = now.adding(seconds: seconds)
            return true
        }
    }

    /// Ends a lease: the job is done, or others may take it.
    func end(_ lease: Lease) {
        state.withLock { state in
            if state.holdings[lease.job]?.fence == lease.fence { state.holdings[lease.job] = nil }
        }
    }

    func isInForce(_ lease: Lease) -> Bool { state.withLock { $0.holdings[lease.job]?.fence == lease.fence } }

    /// Throws unless the lease is the job's newest and is not spent yet. Nobody can take the job until `end` or
    /// `unspend`.
    func spend(_ lease: Lease) throws(StoreError) {
        let isInForce = state.withLock { state in
            guard let held = state.holdings[lease.job], held.fence == lease.fence, !held.isSpent else { return false }
            state.holdings[lease.job]?.isSpent = true
            return true
        }
        guard isInForce else { throw .fenced }
    }

    /// Makes a lease valid again whose step was not stored.
    func unspend(_ lease: Lease) {
        state.withLock { state in
            if state.holdings[lease.job]?.fence == lease.fence { state.holdings[lease.job]?.isSpent = false }
        }
    }
}
