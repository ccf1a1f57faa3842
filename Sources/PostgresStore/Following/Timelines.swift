import Federation
import Synchronization

/// Tells whether a server's copy of a federation is from the database's present history.
///
/// After a failover that lost commits, or a restored backup, the database reaches the same revisions again with other
/// content. Each such event begins a new timeline. A copy from an earlier one is not continued but read again as a
/// whole.
final class Timelines: Sendable {
    private struct State {
        /// The timeline of the follower's last connection.
        var current: String?
        /// The timeline in which each federation was read or stored last.
        var read: [FederationID: String] = [:]
    }

    private let state = Mutex(State())

    /// Whether the federation must be read as a whole: no copy of it is known to be from this timeline.
    func mustRead(_ federation: FederationID, on timeline: String) -> Bool {
        state.withLock { $0.read[federation] != timeline }
    }

    /// Notes that this server has the federation as it is stored in this timeline.
    func noteRead(_ federation: FederationID, on timeline: String) {
        state.withLock { $0.read[federation] = timeline }
    }

    /// Whether the follower's new connection shows another history than its last one.
    func hasChanged(to timeline: String) -> Bool {
        state.withLock { state in
            defer { state.current = timeline }
            return state.current.map { $0 != timeline } ?? false
        }
    }

    func forget(_ federation: FederationID) { state.withLock { $0.read[federation] = nil } }
}
