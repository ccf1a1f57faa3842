import Dispatch

/// A queue for work that blocks (files, hashing, aggregation), so that it does not block the cooperative pool.
package struct BlockingQueue: Sendable {
    private let queue: DispatchQueue

    /// - Parameter concurrent: whether several pieces of work may run at once.
    package init(label: String, concurrent: Bool = false) {
        queue = DispatchQueue(label: "rankwise." + label, attributes: concurrent ? .concurrent : [])
    }

    /// Runs work when the queue is idle, and blocks the caller, which must not run on this queue itself.
    func runBlocking<Success, Failure: Error>(_ work: () throws(Failure) -> Success) throws(Failure) -> Success {
        try queue.sync { Result(catching: work) }.get()
    }

    /// Runs work later on the queue; returns at once.
    func begin(_ work: @escaping @Sendable () -> Void) { queue.async(execute: work) }

    package func run<Success: Sendable, Failure: Error>(
        _ work: @escaping @Sendable () throws(Failure) -> Success
    ) async throws(Failure) -> Success {
        let result: Result<Success, Failure> = await withCheckedContinuation { continuation in
            queue.async {
                let result: Result<Success, Failure>
                do throws(Failure) {
                    result = .success(try work())
                } catch {
                    result = .failure(error)
                }
                continuation.resume(returning: result)
            }
        }
        return try result.get()
    }
}
