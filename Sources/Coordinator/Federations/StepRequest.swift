import Federation
import Synchronization

/// What a session applies within a step.
protocol StepRequest: Sendable {
    /// The lease that the step spends.
    var lease: Lease? { get }
    /// May be called again where the step is repeated; the last call counts.
    func apply(to machine: inout FederationMachine, in step: inout FederationMachine.Step)
}

/// A request that applies one event and keeps its reply.
final class EventRequest<Success: Sendable, Failure: Error>: StepRequest {
    let lease: Lease?
    private let event: FederationMachine.Event<Success, Failure>
    private let result = Mutex<Result<Success, Failure>?>(nil)

    init(_ event: FederationMachine.Event<Success, Failure>, lease: Lease? = nil) {
        self.event = event
        self.lease = lease
    }

    func apply(to machine: inout FederationMachine, in step: inout FederationMachine.Step) {
        let reply = machine.handle(event, in: &step)
        result.withLock { $0 = reply }
    }

    /// Valid once the event's step is stored.
    var reply: Result<Success, Failure> {
        guard let reply = result.withLock({ $0 }) else { preconditionFailure("a stored step has applied its events") }
        return reply
    }
}
