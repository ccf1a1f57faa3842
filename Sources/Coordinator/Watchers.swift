import Federation
import Synchronization

/// Those who wait for a federation to change, until it does or their time is up.
final class Watchers: Sendable {
    private struct Waiter {
        let isSatisfied: @Sendable (FederationSnapshot) -> Bool
        let deadline: Instant
        let continuation: CheckedContinuation<FederationSnapshot?, Never>
    }

    private struct State {
        var waiters: [UInt64: Waiter] = [:]
        var next: UInt64 = 0
        /// Waits that were cancelled before they began.
        var cancelled: Set<UInt64> = []
    }

    private let state = Mutex(State())

    var isEmpty: Bool { state.withLock { $0.waiters.isEmpty } }

    /// Waits for a snapshot that satisfies `condition`; `nil` at the deadline or on cancellation.
    func wait(
        for condition: @escaping @Sendable (FederationSnapshot) -> Bool, until deadline: Instant,
        current: @escaping @Sendable () -> FederationSnapshot
    ) async -> FederationSnapshot? {
        let id = state.withLock { state in
            state.next += 1
            return state.next
        }
        defer { state.withLock { _ = $0.cancelled.remove(id) } }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer: FederationSnapshot?? = state.withLock { state in
                    if state.cancelled.remove(id) != nil { return .some(nil) }
                    let snapshot = current()
                    if condition(snapshot) { return .some(snapshot) }
                    state.waiters[id] = Waiter(isSatisfied: condition, deadline: deadline, continuation: continuation)
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            let waiter: Waiter? = state.withLock { state in
                if let waiter = state.waiters.removeValue(forKey: id) { return waiter }
                state.cancelled.insert(id)
                return nil
            }
            waiter?.continuation.resume(returning: nil)
        }
    }

    /// Answers everyone whom the new snapshot satisfies.
    func wake(with snapshot: FederationSnapshot) {
        for waiter in take(where: { $0.isSatisfied(snapshot) }) { waiter.continuation.resume(returning: snapshot) }
    }

    /// Ends the waits whose deadline has passed.
    func expire(at now: Instant) {
        for waiter in take(where: { $0.deadline <= now }) { waiter.continuation.resume(returning: nil) }
    }

    private func take(where isTaken: (Waiter) -> Bool) -> [Waiter] {
        state.withLock { state in
            let ids = state.waiters.filter { isTaken($0.value) }.map(\.key).sorted()
            return ids.compactMap { state.waiters.removeValue(forKey: $0) }
        }
    }
}
