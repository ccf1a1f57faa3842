import Federation
import Synchronization

/// Callers that wait for a federation to change, until it does or their deadline passes.
///
/// One change may end thousands of waits. Only a few waiters run at a time, and each one wakes the next, so that other
/// requests get processor time in between.
final class Watchers: Sendable {
    private static let mostAwake = 32

    fileprivate struct Waiter {
        let isSatisfied: @Sendable (FederationSnapshot) -> Bool
        let deadline: Timestamp
        let continuation: CheckedContinuation<Outcome, Never>
    }

    /// The result of a wait.
    fileprivate enum Outcome: Sendable {
        /// The waiter was never queued, or gave up.
        case atOnce(FederationSnapshot?)
        /// The waiter was woken, and must wake the next one.
        case woken(FederationSnapshot?)
    }

    /// A waiter with its answer, which is nil after its deadline.
    fileprivate struct Due {
        let waiter: Waiter
        let answer: FederationSnapshot?
    }

    fileprivate struct State {
        var waiters: [UInt64: Waiter] = [:]
        var next: UInt64 = 0
        /// Waits that were cancelled before they began.
        var cancelled: Set<UInt64> = []
        /// The waiters to be woken, from `firstDue` on, in order.
        var due: [Due] = []
        var firstDue = 0
        /// The number of woken waiters that have not run yet.
        var awake = 0
        /// The snapshot that woke the most recent waiters.
        var latest: FederationSnapshot?
    }

    private let state = Mutex(State())

    /// The number of waiters.
    var count: Int { state.withLock { $0.waiters.count } }
    var isEmpty: Bool { count == 0 }

    /// Waits for a snapshot that satisfies `condition`; `nil` at the deadline or on cancellation.
    func wait(
        for condition: @escaping @Sendable (FederationSnapshot) -> Bool, until deadline: Timestamp,
        current: @escaping @Sendable () -> FederationSnapshot
    ) async -> FederationSnapshot? {
        let id = state.withLock { state in
            state.next += 1
            return state.next
        }
        defer { state.withLock { _ = $0.cancelled.remove(id) } }
        let outcome = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer: FederationSnapshot?? = state.withLock { state in
                    if state.cancelled.remove(id) != nil { return .some(nil) }
                    let snapshot = current()
                    if condition(snapshot) { return .some(snapshot) }
                    state.waiters[id] = Waiter(isSatisfied: condition, deadline: deadline, continuation: continuation)
                    return nil
                }
                if let answer { continuation.resume(returning: .atOnce(answer)) }
            }
        } onCancel: {
            let waiter: Waiter? = state.withLock { state in
                if let waiter = state.waiters.removeValue(forKey: id) { return waiter }
                state.cancelled.insert(id)
                return nil
            }
            waiter?.continuation.resume(returning: .atOnce(nil))
        }
        switch outcome {
        case .atOnce(let answer): return answer
        case .woken(let answer):
            state.withLock { $0.awake -= 1 }
            wakeNext()
            return answer
        }
    }

    /// Answers every waiter that the new snapshot satisfies.
    func wake(with snapshot: FederationSnapshot) {
        state.withLock { state in
            state.latest = snapshot
            state.end(where: { $0.isSatisfied(snapshot) }, with: snapshot)
        }
        wakeNext()
    }

    /// Ends all waits.
    func endAll() {
        state.withLock { $0.end(where: { _ in true }, with: nil) }
        wakeNext()
    }

    /// Ends the waits whose deadline has passed.
    func expire(at now: Timestamp) {
        state.withLock { $0.end(where: { $0.deadline <= now }, with: nil) }
        wakeNext()
    }

    /// Wakes as many waiters as may run at once.
    private func wakeNext() {
        for due in state.withLock({ $0.takeDue(upTo: Self.mostAwake) }) {
            due.waiter.continuation.resume(returning: .woken(due.answer))
        }
    }
}

extension Watchers.State {
    mutating func end(where isEnded: (Watchers.Waiter) -> Bool, with answer: FederationSnapshot?) {
        let ids = waiters.filter { isEnded($0.value) }.map(\.key).sorted()
        due += ids.compactMap { waiters.removeValue(forKey: $0) }.map { Watchers.Due(waiter: $0, answer: answer) }
    }

    /// Takes the waiters that may wake now. A waiter gets the newest snapshot that satisfies it, even if an earlier one
    /// queued it.
    mutating func takeDue(upTo mostAwake: Int) -> [Watchers.Due] {
        let count = min(mostAwake - awake, due.count - firstDue)
        guard count > 0 else { return [] }
        let taken = due[firstDue..<firstDue + count].map { due in
            guard due.answer != nil, let latest, due.waiter.isSatisfied(latest) else { return due }
            return Watchers.Due(waiter: due.waiter, answer: latest)
        }
        awake += count
        firstDue += count
        if firstDue == due.count {
            due = []
            firstDue = 0
        }
        return taken
    }
}
