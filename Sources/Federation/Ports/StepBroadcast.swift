import Synchronization

/// Announces stored steps to all followers in the process.
package final class StepBroadcast: Sendable {
    private struct State {
        var listeners: [Int: AsyncStream<StoredStep>.Continuation] = [:]
        var next = 0
    }

    private let state = Mutex(State())

    package init() {}

    package func steps() -> AsyncStream<StoredStep> {
        let (stream, continuation) = AsyncStream.makeStream(of: StoredStep.self)
        let number = state.withLock { state in
            state.next += 1
            state.listeners[state.next] = continuation
            return state.next
        }
        continuation.onTermination = { [weak self] _ in self?.state.withLock { $0.listeners[number] = nil } }
        return stream
    }

    package func yield(_ step: StoredStep) {
        for listener in state.withLock({ Array($0.listeners.values) }) { listener.yield(step) }
    }

    package func close() {
        for listener in state.withLock({ Array($0.listeners.values) }) { listener.finish() }
    }
}
