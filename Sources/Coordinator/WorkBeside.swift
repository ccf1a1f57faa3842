import Dispatch
import Synchronization

/// Blocking work that runs in parallel with its owner. Releasing it waits for the work to end.
final class WorkBeside<Success: Sendable, Failure: Error>: Sendable {
    private final class End: Sendable {
        let group = DispatchGroup()
        let result = Mutex<Result<Success, Failure>?>(nil)
    }

    private let end = End()

    /// Begins the work.
    init(_ work: @escaping @Sendable () throws(Failure) -> Success) {
        DispatchQueue.global().async(group: end.group) { [end] in
            let result = Result(catching: work)
            end.result.withLock { $0 = result }
        }
    }

    deinit { end.group.wait() }

    /// Waits for the work to end.
    func outcome() throws(Failure) -> Success {
        end.group.wait()
        guard let result = end.result.withLock({ $0 }) else { preconditionFailure("the work has ended") }
        return try result.get()
    }
}
