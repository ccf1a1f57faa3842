package import Federation
import Synchronization

/// A federation after one stored step; status and plan are answered from it.
package final class FederationSnapshot: Sendable {
    package let machine: FederationMachine
    package let createdAt: Timestamp
    private let planning: Planning
    private let rendering = Mutex<(any Sendable)?>(nil)

    /// The settings as files and strategies need them, as far as they allow it.
    private enum Planning {
        case plan(AdapterPlan)
        /// The template is missing.
        case draft
        /// The stored settings have a value that this version does not know.
        case failed(SettingsError)

        init(_ settings: FederationSettings) {
            guard !settings.adapter.isDraft else {
                self = .draft
                return
            }
            do throws(SettingsError) { self = .plan(try AdapterPlan(settings)) } catch { self = .failed(error) }
        }
    }

    init(machine: FederationMachine, createdAt: Timestamp) {
        self.machine = machine
        self.createdAt = createdAt
        planning = Planning(machine.settings)
    }

    /// The federation after the next step. Adapter and strategy stay the same, unless a template has completed them.
    init(machine: FederationMachine, after last: FederationSnapshot) {
        self.machine = machine
        createdAt = last.createdAt
        planning = if case .draft = last.planning { Planning(machine.settings) } else { last.planning }
    }

    /// The adapter's shape and the strategy. Throws where there is none yet, or this version does not know it.
    func plan() throws(ServiceError) -> AdapterPlan {
        switch planning {
        case .plan(let plan): return plan
        case .draft: throw .draft
        case .failed(let error): throw .settings(error)
        }
    }

    /// The result of `render` for this snapshot, computed once and then shared.
    package func rendered<Rendering: Sendable>(_ render: (FederationSnapshot) throws -> Rendering) rethrows -> Rendering
    {
        if let known = rendering.withLock({ $0 }) as? Rendering { return known }
        let made = try render(self)
        rendering.withLock { $0 = made }
        return made
    }
}
