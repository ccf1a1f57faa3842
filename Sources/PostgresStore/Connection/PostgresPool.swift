import Dispatch
import Federation
import Glibc
import Logging
import Synchronization

/// The connections of one server. A caller takes a lane, which is a connection with a queue of its own, and gives it
/// back.
///
/// A connection that is lost is made again, with pauses, as long as `patience` lasts, so a database that restarts or
/// fails over delays callers and fails none.
final class PostgresPool: Sendable {
    /// A connection, used by its holder alone.
    final class Lane: Sendable {
        let queue: DispatchQueue
        /// Only the lane's holder uses it, so the lock never waits.
        fileprivate let connection = Mutex<Held>(Held())

        fileprivate init(_ number: Int) { queue = DispatchQueue(label: "rankwise.postgres.\(number)") }
    }

    /// - Note: `@unchecked` because `PostgresConnection` is a class; the lane's lock guards it.
    fileprivate struct Held: @unchecked Sendable {
        var connection: PostgresConnection?
    }

    fileprivate enum Waiter {
        case task(CheckedContinuation<Lane?, Never>)
        case thread(DispatchSemaphore, Box)
    }

    /// What a caller finds at once.
    private enum Answer {
        case lane(Lane)
        case closed
        case later
    }

    /// Receives the lane of a waiting thread.
    fileprivate final class Box: Sendable {
        let lane = Mutex<Lane?>(nil)
    }

    fileprivate struct State {
        var free: [Lane]
        var waiting: [Waiter] = []
        var isClosed = false
        var lent = 0
    }

    private let url: String
    private let patience: Double
    private let logger: Logger
    private let state: Mutex<State>
    private let clock = ContinuousClock()

    /// - Parameter patience: for so many seconds, a lost connection is made again before a call fails.
    init(_ url: String, connections: Int, patience: Double, logger: Logger) {
        self.url = url
        self.patience = patience
        self.logger = logger
        state = Mutex(State(free: (0..<connections).map { Lane($0) }))
    }

    /// Runs blocking work with a connection on the connection's queue.
    ///
    /// - Parameter work: runs again, from its start, after a lost connection or a deadlock. It must begin and end a
    ///   transaction of its own.
    func run<Value: Sendable>(
        _ work: @escaping @Sendable (PostgresConnection) throws -> Value
    ) async throws(StoreError) -> Value {
        let lane: Lane? = await withCheckedContinuation { continuation in
            let answer: Answer = state.withLock { state in
                if state.isClosed { return .closed }
                if let lane = state.take() { return .lane(lane) }
                state.waiting.append(.task(continuation))
                return .later
            }
            switch answer {
            case .lane(let lane): continuation.resume(returning: lane)
            case .closed: continuation.resume(returning: nil)
            case .later: break
            }
        }
        guard let lane else { throw Self.closed }
        let result: Result<Value, StoreError> = await withCheckedContinuation { continuation in
            lane.queue.async {
                let result: Result<Value, StoreError>
                do throws(StoreError) {
                    result = .success(try self.attempt(work, on: lane))
                } catch {
                    result = .failure(error)
                }
                // Here and not after the wait: all threads of the caller's pool may wait for a lane.
                self.giveBack(lane)
                continuation.resume(returning: result)
            }
        }
        return try result.get()
    }

    /// Runs blocking work with a connection on the caller's thread, which must not be one of the cooperative pool.
    func runBlocking<Value>(_ work: (PostgresConnection) throws -> Value) throws(StoreError) -> Value {
        let semaphore = DispatchSemaphore(value: 0)
        let box = Box()
        let answer: Answer = state.withLock { state in
            if state.isClosed { return .closed }
            if let lane = state.take() { return .lane(lane) }
            state.waiting.append(.thread(semaphore, box))
            return .later
        }
        let found: Lane?
        switch answer {
        case .lane(let free): found = free
        case .closed: found = nil
        case .later:
            semaphore.wait()
            found = box.lane.withLock { $0 }
        }
        guard let lane = found else { throw Self.closed }
        defer { giveBack(lane) }
        return try attempt(work, on: lane)
    }

    /// Runs blocking work with a connection that is made for it, as long as `patience` lasts. For a caller that holds a
    /// lane whose connection is lost.
    func onNewConnection<Value>(_ work: (PostgresConnection) throws -> Value) throws(StoreError) -> Value {
        try attempt(work, on: Lane(-1))
    }

    /// Ends all connections once their work is done. Later calls fail.
    func close() {
        let waiting = state.withLock { state in
            state.isClosed = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for waiter in waiting {
            switch waiter {
            case .task(let continuation): continuation.resume(returning: nil)
            case .thread(let semaphore, _): semaphore.signal()
            }
        }
        // Work under way holds a lane; its end is waited for.
        while state.withLock({ $0.lent }) > 0 { usleep(2_000) }
        for lane in state.withLock({ $0.free }) { lane.connection.withLock { $0.connection = nil } }
    }

    private static let closed = StoreError.failed("the store is closed")

    private func giveBack(_ lane: Lane) {
        let next: Waiter? = state.withLock { state in
            guard state.waiting.isEmpty else { return state.waiting.removeFirst() }
            state.free.append(lane)
            state.lent -= 1
            return nil
        }
        switch next {
        case nil: return
        case .task(let continuation): continuation.resume(returning: lane)
        case .thread(let semaphore, let box):
            box.lane.withLock { $0 = lane }
            semaphore.signal()
        }
    }
}

extension PostgresPool.State {
    fileprivate mutating func take() -> PostgresPool.Lane? {
        guard !free.isEmpty else { return nil }
        lent += 1
        return free.removeLast()
    }
}

extension PostgresPool {
    private func attempt<Value>(
        _ work: (PostgresConnection) throws -> Value, on lane: Lane
    ) throws(StoreError) -> Value {
        let end = clock.now.advanced(by: .seconds(patience))
        var pause = 10
        while true {
            let failure: PostgresError
            do {
                return try lane.connection.withLock { held in
                    let connection = try held.connection ?? PostgresConnection(url)
                    held.connection = connection
                    return try work(connection)
                }
            } catch let error as PostgresError {
                failure = error
            } catch {
                throw error as? StoreError ?? .failed("\(error)")
            }
            if failure.needsNewConnection {
                lane.connection.withLock { $0.connection = nil }
            } else if !failure.isPassing {
                throw failure.storeError
            }
            guard clock.now < end, !state.withLock({ $0.isClosed }) else { throw failure.storeError }
            if pause == 10 { logger.warning("PostgreSQL is asked again", metadata: ["reason": "\(failure)"]) }
            usleep(UInt32(pause) * 1000)
            pause = min(500, pause * 2)
        }
    }
}
