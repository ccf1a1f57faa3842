import Synchronization

/// Signals that a simulated federation has changed, so that the many waiting clients need not ask the server.
final class RoundSignal: Sendable {
    private struct State {
        var rings = 0
        var nextWaiter = 0
        var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
    }

    private let state = Mutex(State())

    /// The number of signals so far.
    var rings: Int { state.withLock { $0.rings } }

    func ring() {
        let waiters = state.withLock { state in
            state.rings += 1
            defer { state.waiters = [:] }
            return state.waiters.values
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Returns once there were more than `rings` signals, or after `limit`.
    func wait(after rings: Int, atMost limit: Duration) async {
        let place = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        let timer = Task {
            try? await Task.sleep(for: limit)
            self.release(place)
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let mayGo = state.withLock { state in
                    guard state.rings <= rings, !Task.isCancelled, !timer.isCancelled else { return true }
                    state.waiters[place] = continuation
                    return false
                }
                if mayGo { continuation.resume() }
            }
        } onCancel: {
            release(place)
        }
        timer.cancel()
    }

    private func release(_ place: Int) {
        state.withLock { $0.waiters.removeValue(forKey: place) }?.resume()
    }
}
