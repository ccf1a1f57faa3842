import Dispatch
import Federation
import Synchronization

/// Who asks for a file that may have to be rendered.
package struct RenderingCaller: Sendable, Hashable {
    private let principal: Principal
    /// A shared token may serve many, who are told apart by where they call from, and by the token where everybody is
    /// admin.
    private let address: PeerAddress?
    private let token: ContentDigest?

    package init(_ principal: Principal, bearer token: String?, from address: PeerAddress) {
        self.principal = principal
        if case .client = principal {
            (self.address, self.token) = (nil, nil)
        } else {
            (self.address, self.token) = (address, token.map(Access.hash))
        }
    }
}

/// Renders files for those who ask, a few at a time: callers take turns, none may have many waiting, and after a work each
/// pauses for a multiple of the time that it took, so that no caller keeps a processor and the disk busy for long.
final class RenderingLanes: Sendable {
    typealias Work = @Sendable () -> Void
    /// Runs a short work after so many seconds.
    typealias Alarm = @Sendable (_ seconds: Double, _ work: @escaping Work) -> Void

    private struct State {
        var waiting: [RenderingCaller: [Work]] = [:]
        /// Those for whom work waits; who was served longest ago comes first.
        var turns: [RenderingCaller] = []
        /// Those whose works begin only after a pause.
        var pausing: Set<RenderingCaller> = []
        /// The work of each that waits or runs.
        var held: [RenderingCaller: Int] = [:]
        /// The queues on which nothing runs.
        var free: [Int]
        /// How many rounds are being published, for which all lanes but one are kept free.
        var publications = 0
    }

    /// Work of one caller that may wait or run at once.
    static let worksPerCaller = 4
    /// The longest pause of a caller, in seconds.
    private static let longestPause = 60.0

    /// One work at a time runs on each; what is put there directly waits for no turn.
    let queues: [BlockingQueue]
    private let state: Mutex<State>
    private let pauseFactor: Double
    private let alarm: Alarm

    /// - Parameters:
    ///   - queues: serial, at least one.
    ///   - pauseFactor: how many times as long as its last work took a caller's next one waits.
    init(
        queues: [BlockingQueue], pauseFactor: Double = 4,
        alarm: @escaping Alarm = { DispatchQueue.global().asyncAfter(deadline: .now() + $0, execute: $1) }
    ) {
        self.queues = queues
        self.pauseFactor = pauseFactor
        self.alarm = alarm
        state = Mutex(State(free: Array(queues.indices)))
    }

    /// How many works run now.
    var busyCount: Int { state.withLock { queues.count - $0.free.count } }

    /// Runs the work in its turn; throws where its caller has too much waiting.
    func submit(for caller: RenderingCaller, _ work: @escaping Work) throws(ServiceError) {
        let isTaken = state.withLock { state in
            guard state.held[caller, default: 0] < Self.worksPerCaller else { return false }
            state.held[caller, default: 0] += 1
            if state.waiting[caller, default: []].isEmpty { state.turns.append(caller) }
            state.waiting[caller, default: []].append(work)
            return true
        }
        guard isTaken else { throw .tooManyRequests(retryAfter: 1) }
        startNext()
    }

    /// Leaves the processors to a publication while it lasts.
    func publishing<Value>(_ work: () async throws -> Value) async rethrows -> Value {
        state.withLock { $0.publications += 1 }
        defer {
            state.withLock { $0.publications -= 1 }
            for _ in queues { startNext() }
        }
        return try await work()
    }

    /// Runs work while nothing is rendered for callers. Blocks the lanes in their order, so that two never wait for each
    /// other.
    func alone<Success: Sendable, Failure: Error>(
        _ work: @escaping @Sendable () throws(Failure) -> Success
    ) async throws(Failure) -> Success {
        try await queues[0].run { () throws(Failure) in try Self.holding(self.queues.dropFirst(), work) }
    }

    private static func holding<Success, Failure: Error>(
        _ queues: ArraySlice<BlockingQueue>, _ work: () throws(Failure) -> Success
    ) throws(Failure) -> Success {
        guard let first = queues.first else { return try work() }
        return try first.runBlocking { () throws(Failure) in try holding(queues.dropFirst(), work) }
    }

    private func startNext() {
        let next: (caller: RenderingCaller, work: Work, lane: Int)? = state.withLock { state in
            let kept = state.publications > 0 ? queues.count - 1 : 0
            guard state.free.count > kept,
                let turn = state.turns.firstIndex(where: { !state.pausing.contains($0) })
            else { return nil }
            let caller = state.turns.remove(at: turn)
            guard let work = state.waiting[caller]?.removeFirst() else { return nil }
            if state.waiting[caller]?.isEmpty == true {
                state.waiting[caller] = nil
            } else {
                state.turns.append(caller)
            }
            return (caller, work, state.free.removeLast())
        }
        guard let next else { return }
        queues[next.lane].begin {
            let took = ContinuousClock().measure(next.work)
            self.end(next.caller, on: next.lane, after: took / .seconds(1))
            self.startNext()
        }
    }

    private func end(_ caller: RenderingCaller, on lane: Int, after seconds: Double) {
        let pause = min(Self.longestPause, seconds * pauseFactor)
        let begins = state.withLock { state in
            state.free.append(lane)
            let left = state.held[caller, default: 1] - 1
            state.held[caller] = left > 0 ? left : nil
            return pause > 0 && state.pausing.insert(caller).inserted
        }
        guard begins else { return }
        alarm(pause) {
            self.state.withLock { _ = $0.pausing.remove(caller) }
            self.startNext()
        }
    }
}
