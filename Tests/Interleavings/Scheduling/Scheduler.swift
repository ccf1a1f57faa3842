import Federation
import Synchronization

/// Runs the jobs of all processes on one thread, in an order that a seed decides, by a clock that only it moves.
///
/// No thread waits and no time passes while a schedule runs. The same seed gives the same order of jobs.
final class Scheduler: WallClock {
    fileprivate struct Job {
        let job: UnownedJob
        let lane: Lane
    }

    fileprivate struct Timer {
        let at: Timestamp
        /// Orders timers of the same moment.
        let number: Int
        let fire: @Sendable () -> Void
    }

    fileprivate struct State {
        var dice: Dice
        var now = Timestamp(milliseconds: 1_700_000_000_000)
        var jobs: [Job] = []
        /// The next one is the last.
        var timers: [Timer] = []
        var timerCount = 0
        /// Until when a lane runs no job, by its number.
        var pauses: [Int: Timestamp] = [:]
        var laneCount = 0
        var jobCount = 0
    }

    /// What the loop does next.
    fileprivate enum Next {
        case job(Job)
        case timer(Timer)
        /// Nobody has anything to do, now or later.
        case nothing
    }

    private let state: Mutex<State>
    let trace: Trace

    init(seed: UInt64, trace: Trace) {
        state = Mutex(State(dice: Dice(seed: seed)))
        self.trace = trace
    }

    func now() -> Timestamp { state.withLock { $0.now } }

    /// The number of jobs that have run.
    var jobCount: Int { state.withLock { $0.jobCount } }

    /// Makes a choice.
    func roll<Value>(_ choose: (inout Dice) -> Value) -> Value {
        state.withLock { state in
            var dice = state.dice
            defer { state.dice = dice }
            return choose(&dice)
        }
    }

    func makeLane() -> Lane {
        let number = state.withLock { state in
            state.laneCount += 1
            return state.laneCount
        }
        return Lane(number: number, scheduler: self)
    }

    func add(_ job: UnownedJob, to lane: Lane) {
        state.withLock { $0.jobs.append(Job(job: job, lane: lane)) }
    }

    /// Has the lane run no job for some time, as a process that is stopped by a signal.
    func pause(_ lane: Lane, seconds: Double) {
        state.withLock { $0.pauses[lane.number] = $0.now.adding(seconds: seconds) }
    }

    func resume(_ lane: Lane) { state.withLock { $0.pauses[lane.number] = nil } }

    /// Does something later, in no process.
    func after(seconds: Double, _ fire: @escaping @Sendable () -> Void) {
        state.withLock { state in
            state.timerCount += 1
            state.insert(Timer(at: state.now.adding(seconds: seconds), number: state.timerCount, fire: fire))
        }
    }

    func sleep(seconds: Double) async {
        await withCheckedContinuation { continuation in after(seconds: seconds) { continuation.resume() } }
    }

    /// Lets other processes go first for a few milliseconds, as a call over a network does.
    func point() async {
        await sleep(seconds: Double(roll { $0.below(8) }) / 1000)
    }

    /// Runs jobs until `isOver` says so or nothing is left to be done.
    ///
    /// - Returns: false where nothing is left.
    func run(until isOver: () -> Bool) -> Bool {
        while !isOver() {
            switch state.withLock({ $0.next() }) {
            case .job(let job): job.job.runSynchronously(on: job.lane.asUnownedTaskExecutor())
            case .timer(let timer): timer.fire()
            case .nothing: return false
            }
        }
        return true
    }
}

extension Scheduler.State {
    fileprivate mutating func insert(_ timer: Scheduler.Timer) {
        var (low, high) = (0, timers.count)
        while low < high {
            let middle = (low + high) / 2
            if timers[middle].isBefore(timer) { high = middle } else { low = middle + 1 }
        }
        timers.insert(timer, at: low)
    }

    /// Takes the next timer or job. The clock moves a little before every job, and to the next timer where there is no
    /// job.
    fileprivate mutating func next() -> Scheduler.Next {
        while true {
            if let timer = timers.last, timer.at.milliseconds <= now.milliseconds { return .timer(timers.removeLast()) }
            if let index = pickJob() {
                now = now.adding(seconds: Double(dice.below(3)) / 1000)
                jobCount += 1
                return .job(jobs.remove(at: index))
            }
            let moments = jobs.compactMap { pauses[$0.lane.number] } + (timers.last.map { [$0.at] } ?? [])
            guard let moment = moments.min() else { return .nothing }
            now = max(now, moment)
        }
    }

    /// Any job whose process is not paused.
    private mutating func pickJob() -> Int? {
        if pauses.isEmpty { return jobs.isEmpty ? nil : dice.below(jobs.count) }
        let runnable = jobs.indices.filter { index in
            pauses[jobs[index].lane.number].map { $0.milliseconds <= now.milliseconds } ?? true
        }
        return runnable.isEmpty ? nil : runnable[dice.below(runnable.count)]
    }
}

extension Scheduler.Timer {
    fileprivate func isBefore(_ other: Scheduler.Timer) -> Bool {
        at.milliseconds == other.at.milliseconds
            ? number < other.number : at.milliseconds < other.at.milliseconds
    }
}
