/// The executor of one process: its jobs run on the schedule's thread, one at a time, when the scheduler picks them.
///
/// A task that prefers this executor keeps it over every `await` of the code under test, since that code is in no actor.
final class Lane: TaskExecutor {
    let number: Int
    private let scheduler: Scheduler

    init(number: Int, scheduler: Scheduler) {
        self.number = number
        self.scheduler = scheduler
    }

    func enqueue(_ job: consuming ExecutorJob) { scheduler.add(UnownedJob(job), to: self) }

    /// Starts a task whose jobs all run here.
    func start(_ work: @escaping @Sendable () async -> Void) {
        Task(executorPreference: self) { await work() }
    }
}
