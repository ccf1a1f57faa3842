import Synchronization

/// Rings when a simulated federation has moved on, so that the many who wait for that need not ask the server.
final class RoundSignal: Sendable {
    private struct State {
        var rings = 0
        var nextWaiter = 0
        var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
    }

    private let state = Mutex(State())

    /// How often it has rung.
    var rings: Int { state.withLock { $0.rings } }

    func ring() {
        let waiters = state.withLock { state in
            state.rings += 1
            defer { state.waiters = [:] }
            return state.waiters.values
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Returns once it has rung more than `rings` times, or after `limit`.
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
