import Federation
import Synchronization

/// Those who wait for a federation to change, until it does or their time is up.
///
/// A change may concern thousands at once. Few of them are awake at a time, and each that wakes lets the next one wake, so
/// that all other requests find their turn between them.
final class Watchers: Sendable {
    private static let mostAwake = 32

    fileprivate struct Waiter {
        let isSatisfied: @Sendable (FederationSnapshot) -> Bool
        let deadline: Timestamp
        let continuation: CheckedContinuation<Outcome, Never>
    }

    /// What a waiter hears.
    fileprivate enum Outcome: Sendable {
        /// It never waited, or gave up.
        case atOnce(FederationSnapshot?)
        /// It was woken, and lets the next one wake.
        case woken(FederationSnapshot?)
    }

    /// A waiter that has its answer: nil where its time is up.
    fileprivate struct Due {
        let waiter: Waiter
        let answer: FederationSnapshot?
    }

    fileprivate struct State {
        var waiters: [UInt64: Waiter] = [:]
        var next: UInt64 = 0
        /// Waits that were cancelled before they began.
        var cancelled: Set<UInt64> = []
        /// From `firstDue` on, those who are to be woken, in their order.
        var due: [Due] = []
        var firstDue = 0
        /// How many are woken and have not run yet.
        var awake = 0
        /// The snapshot that woke the last ones.
        var latest: FederationSnapshot?
    }

    private let state = Mutex(State())

    /// How many wait.
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

    /// Answers everyone whom the new snapshot satisfies.
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

    /// Wakes as many as may be awake.
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

    /// Takes the waiters that may wake now. A waiter that stood in line gets the newest snapshot that satisfies it, not the one
    /// that made it due.
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
