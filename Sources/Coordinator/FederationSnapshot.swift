package import Federation
import Synchronization

/// A federation as it stood after one stored step: what status and plan are answered from.
package final class FederationSnapshot: Sendable {
    package let machine: FederationMachine
    package let createdAt: Instant
    private let rendering = Mutex<(any Sendable)?>(nil)

    init(machine: FederationMachine, createdAt: Instant) {
        self.machine = machine
        self.createdAt = createdAt
    }

    /// What `render` makes of this snapshot, made once and then shared.
    package func rendered<Rendering: Sendable>(_ render: (FederationSnapshot) throws -> Rendering) rethrows -> Rendering
    {
        if let known = rendering.withLock({ $0 }) as? Rendering { return known }
        let made = try render(self)
        rendering.withLock { $0 = made }
        return made
    }
}
