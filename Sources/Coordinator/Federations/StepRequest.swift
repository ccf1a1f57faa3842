import Federation
import Synchronization

/// What a session applies within a step.
protocol StepRequest: Sendable {
    /// What the step is paid with.
    var lease: Lease? { get }
    /// May be called again where the step had to be repeated: the last time counts.
    func apply(to machine: inout FederationMachine, in step: inout FederationMachine.Step)
}

/// An event that waits for its reply.
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

    /// Once the event's step is stored.
    var reply: Result<Success, Failure> {
        guard let reply = result.withLock({ $0 }) else { preconditionFailure("a stored step has applied its events") }
        return reply
    }
}

/// Nothing but a look at what is stored.
struct CatchUpRequest: StepRequest {
    var lease: Lease? { nil }
    func apply(to machine: inout FederationMachine, in step: inout FederationMachine.Step) {}
}
