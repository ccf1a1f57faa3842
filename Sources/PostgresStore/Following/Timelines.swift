import Federation
import Synchronization

/// Tells whether a server's copy of a federation is from the database's present history.
///
/// After a failover that lost commits, or a restored backup, the database reaches the same revisions again with other
/// content. Each such event begins a new timeline. A copy from an earlier one is not continued but read again as a
/// whole.
final class Timelines: Sendable {
    private struct State {
        /// The timeline of the newest connection.
        var current: String?
        /// The timeline in which each federation was read.
        var read: [FederationID: String] = [:]
    }

    private let state = Mutex(State())

    /// Whether the federation's copy must be read again as a whole; notes that it will be.
    func mustReadAgain(_ federation: FederationID, on timeline: String) -> Bool {
        state.withLock { state in
            let known = state.read.updateValue(timeline, forKey: federation) ?? state.current ?? timeline
            state.current = state.current ?? timeline
            return known != timeline
        }
    }

    /// Whether a connection shows that the database's history has changed since the last call.
    func hasChanged(to timeline: String) -> Bool {
        state.withLock { state in
            defer { state.current = timeline }
            return state.current.map { $0 != timeline } ?? false
        }
    }

    func forget(_ federation: FederationID) { state.withLock { $0.read[federation] = nil } }
}
