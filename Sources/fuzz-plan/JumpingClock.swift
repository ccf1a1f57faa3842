import ClientAgent
import ServerCalls
import Synchronization

/// A clock on which time passes in sleeps alone.
final class JumpingClock: WaitClock {
    private let time = Mutex(Duration.zero)

    var now: Duration { time.withLock { $0 } }

    func sleep(for duration: Duration) async throws(CancellationError) {
        if Task.isCancelled { throw CancellationError() }
        time.withLock { $0 += duration }
    }
}
