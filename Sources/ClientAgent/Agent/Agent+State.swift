import RankwiseWire
import ServerCalls

/// Stores the agent's state on disk, and waits for space.
extension Agent {
    func keepIdentity() async throws(AgentError) {
        try await state { state throws(StateError) in try state.keep(identity) }
    }

    func keepProgress() async throws(AgentError) {
        try await state { state throws(StateError) in try state.keep(progress) }
    }

    /// Works on the state folder; repeats the work while the disk is full.
    func state<Value>(perform work: (StateFolder) throws(StateError) -> Value) async throws(AgentError) -> Value {
        var wait = RoomWait(start: clock.now, backoff: configuration.backoff)
        while true {
            do throws(StateError) {
                return try work(state)
            } catch {
                guard case .noRoom(let path) = error else { throw .state(error) }
                try await rest(&wait, until: path)
            }
        }
    }

    /// Since when the disk has been full, and how long to wait before the next try.
    struct RoomWait {
        let start: Duration
        var backoff: Backoff
    }

    /// Waits for space at `path`, for as long as the agent would wait for its server.
    func rest(_ wait: inout RoomWait, until path: String) async throws(AgentError) {
        let full = StateError.noRoom(path: path)
        guard clock.now - wait.start < configuration.persistence else { throw .state(full) }
        let delay = nextDelay(of: &wait.backoff)
        observe(.retrying(call: "disk", reason: "\(full)", after: delay))
        try await sleep(for: delay)
    }

    func nextDelay(of backoff: inout Backoff) -> Duration {
        var generator = generator
        defer { self.generator = generator }
        return backoff.next(using: &generator)
    }
}
