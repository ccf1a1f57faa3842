import Dispatch

/// Runs an actor on a queue of its own, so that its work may block without holding up Swift's cooperative threads.
final class BlockingExecutor: SerialExecutor {
    private let queue = DispatchQueue(label: "rankwise.fetch")

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let executor = asUnownedSerialExecutor()
        queue.async { job.runSynchronously(on: executor) }
    }
}
