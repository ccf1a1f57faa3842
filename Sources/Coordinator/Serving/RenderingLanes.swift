import Dispatch
import Federation
import Synchronization

/// A caller whose file may have to be rendered.
package struct RenderingCaller: Sendable, Hashable {
    private let principal: Principal
    /// Many callers may share a token, so they are also told apart by their address. Where everybody is admin, the
    /// token is part of the identity.
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

/// Renders files for callers, a few at a time.
///
/// Callers take turns, and none may have much work waiting. After each work a caller pauses for a multiple of the time
/// that it took, so that no caller occupies a processor and the disk for long.
final class RenderingLanes: Sendable {
    typealias Work = @Sendable () -> Void
    /// Runs a short work after this many seconds.
    typealias Alarm = @Sendable (_ seconds: Double, _ work: @escaping Work) -> Void

    private struct State {
        var waiting: [RenderingCaller: [Work]] = [:]
        /// Callers with waiting work, the least recently served first.
        var turns: [RenderingCaller] = []
        /// Callers whose next work begins only after a pause.
        var pausing: Set<RenderingCaller> = []
        /// The number of works of each caller that wait or run.
        var held: [RenderingCaller: Int] = [:]
        /// The queues on which nothing runs.
        var free: [Int]
        /// The number of rounds being published. Meanwhile all lanes but one stay free.
        var publications = 0
    }

    /// The highest number of one caller's works that may wait or run at once.
    static let worksPerCaller = 4
    /// The longest pause of a caller, in seconds.
    private static let longestPause = 60.0

    /// One work at a time runs on each. Work that is put on a queue directly waits for no turn.
    let queues: [BlockingQueue]
    private let state: Mutex<State>
    private let pauseFactor: Double
    private let alarm: Alarm

    /// - Parameters:
    ///   - queues: serial, at least one.
    ///   - pauseFactor: the pause before a caller's next work, as a multiple of the time of its last one.
    init(
        queues: [BlockingQueue], pauseFactor: Double = 4,
        alarm: @escaping Alarm = { DispatchQueue.global().asyncAfter(deadline: .now() + $0, execute: $1) }
    ) {
        self.queues = queues
        self.pauseFactor = pauseFactor
        self.alarm = alarm
        state = Mutex(State(free: Array(queues.indices)))
    }

    /// The number of works that run now.
    var busyCount: Int { state.withLock { queues.count - $0.free.count } }

    /// The number of works that wait for their turn.
    var waitingCount: Int { state.withLock { $0.waiting.values.reduce(0) { $0 + $1.count } } }

    /// Runs the work in the caller's turn; throws where the caller has too much waiting.
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

    /// Keeps lanes free while a publication runs.
    func publishing<Value>(_ work: () async throws -> Value) async rethrows -> Value {
        state.withLock { $0.publications += 1 }
        defer {
            state.withLock { $0.publications -= 1 }
            for _ in queues { startNext() }
        }
        return try await work()
    }

    /// Runs work while nothing is rendered for callers. It blocks the lanes in order, so that two such calls cannot
    /// deadlock.
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
