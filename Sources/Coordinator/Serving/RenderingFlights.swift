import Federation
import Synchronization

/// Renderings under way. Callers that ask for the same file share one rendering, which ends early once all have left.
final class RenderingFlights: Sendable {
    typealias Outcome = Result<AdapterCache.File, ServiceError>

    private struct Flight {
        let interruption: Interruption
        var waiters: [UInt64: CheckedContinuation<Outcome, Never>]
    }

    private struct State {
        var flights: [AdapterCache.Key: Flight] = [:]
        var nextWaiter: UInt64 = 0
        /// Waiters that left before they waited.
        var left: Set<UInt64> = []
    }

    private let state = Mutex(State())

    /// The number of waiters for the rendering of `key`.
    func waiterCount(of key: AdapterCache.Key) -> Int { state.withLock { $0.flights[key]?.waiters.count ?? 0 } }

    /// The outcome of the rendering of `key`; `.abandoned` once the calling task is cancelled.
    ///
    /// - Parameter launch: begins the rendering where none is under way. It must call its last argument with the
    ///   outcome.
    func outcome(
        of key: AdapterCache.Key,
        launch: @escaping @Sendable (Interruption, @escaping @Sendable (Outcome) -> Void) throws(ServiceError) -> Void
    ) async -> Outcome {
        let waiter = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        defer { state.withLock { _ = $0.left.remove(waiter) } }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                join(key, waiter, continuation, launch: launch)
            }
        } onCancel: {
            leave(key, waiter)
        }
    }

    private func join(
        _ key: AdapterCache.Key, _ waiter: UInt64, _ continuation: CheckedContinuation<Outcome, Never>,
        launch: @escaping @Sendable (Interruption, @escaping @Sendable (Outcome) -> Void) throws(ServiceError) -> Void
    ) {
        let interruption = Interruption()
        enum Joined { case left, waits, flies }
        let joined: Joined = state.withLock { state in
            if state.left.contains(waiter) { return .left }
            guard state.flights[key] == nil else {
                state.flights[key]?.waiters[waiter] = continuation
                return .waits
            }
            state.flights[key] = Flight(interruption: interruption, waiters: [waiter: continuation])
            return .flies
        }
        switch joined {
        case .left: continuation.resume(returning: .failure(.abandoned))
        case .waits: break
        case .flies:
            do throws(ServiceError) {
                try launch(interruption) { self.end(key, interruption, $0) }
            } catch {
                end(key, interruption, .failure(error))
            }
        }
    }

    /// A flight without waiters is removed at once, so that the next caller begins a new one.
    private func leave(_ key: AdapterCache.Key, _ waiter: UInt64) {
        let (continuation, abandoned) = state.withLock {
            state -> (CheckedContinuation<Outcome, Never>?, Interruption?) in
            guard let continuation = state.flights[key]?.waiters.removeValue(forKey: waiter) else {
                state.left.insert(waiter)
                return (nil, nil)
            }
            guard let flight = state.flights[key], flight.waiters.isEmpty else { return (continuation, nil) }
            state.flights[key] = nil
            return (continuation, flight.interruption)
        }
        abandoned?.interrupt()
        continuation?.resume(returning: .failure(.abandoned))
    }

    private func end(_ key: AdapterCache.Key, _ interruption: Interruption, _ outcome: Outcome) {
        let waiters = state.withLock { state -> [CheckedContinuation<Outcome, Never>] in
            guard let flight = state.flights[key], flight.interruption === interruption else { return [] }
            state.flights[key] = nil
            return Array(flight.waiters.values)
        }
        for waiter in waiters { waiter.resume(returning: outcome) }
    }
}
