import Dispatch

/// Runs an actor on its own queue, so that its work may block without blocking Swift's cooperative threads.
final class BlockingExecutor: SerialExecutor {
    private let queue = DispatchQueue(label: "rankwise.fetch")

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let executor = asUnownedSerialExecutor()
        queue.async { job.runSynchronously(on: executor) }
    }
}
