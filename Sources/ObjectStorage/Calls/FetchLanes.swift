import Dispatch
import HTTPFetching
import Synchronization

/// A fixed number of connections, each with a thread of its own; a call has one to itself until it ends.
///
/// Calls get free lanes in the order in which they asked. No call waits for a lane longer than its patience.
final class FetchLanes: Sendable {
    /// One connection and its queue, which may block.
    struct Lane: Sendable {
        let queue: DispatchQueue
        let fetcher: BlockingFetcher
    }

    private struct Waiting: Sendable {
        let id: Int
        /// Called once, with nil where no lane became free in time.
        let start: @Sendable (Lane?) -> Void
    }

    private struct State {
        var idle: [Lane]
        var waiting: [Waiting] = []
        var lastID = 0
    }

    let count: Int
    private let state: Mutex<State>
    private let clock: CallClock
    private let timer = DispatchQueue(label: "rankwise.objects.timer")

    init(count: Int, tls: HTTPFetcher.TLS, clock: CallClock) throws(ObjectError) {
        guard (1...1024).contains(count) else { throw .invalid("\(count) connections; 1 to 1024 are possible") }
        var lanes: [Lane] = []
        for number in 0..<count {
            do throws(FetchError) {
                lanes.append(
                    Lane(
                        queue: DispatchQueue(label: "rankwise.objects.\(number)"),
                        fetcher: try BlockingFetcher(tls: tls)))
            } catch {
                throw .invalid("\(error)")
            }
        }
        self.count = count
        state = Mutex(State(idle: lanes))
        self.clock = clock
    }

    /// Runs a call's work on a lane; cancelling the task ends it at once.
    func run<Value: Sendable>(
        _ store: StoreClient, _ patience: ObjectPatience,
        _ work: @escaping @Sendable (borrowing ObjectCall) throws(ObjectError) -> Value
    ) async throws(ObjectError) -> Value {
        let cancellation = CallCancellation()
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                submit(store, patience, cancellation, work) { continuation.resume(returning: $0) }
            }
        } onCancel: {
            cancellation.cancel()
        }
        return try result.get()
    }

    /// The same for a thread that may block. It needs no thread of Swift's tasks.
    func runBlocking<Value: Sendable>(
        _ store: StoreClient, _ patience: ObjectPatience,
        _ work: @escaping @Sendable (borrowing ObjectCall) throws(ObjectError) -> Value
    ) throws(ObjectError) -> Value {
        let outcome = Outcome<Value>()
        submit(store, patience, CallCancellation(), work) { outcome.set($0) }
        return try outcome.wait().get()
    }

    /// Runs work for each item, on all lanes at once. After the first error, which is thrown, no more is begun.
    func runBlocking<Item: Sendable>(
        _ items: [Item], _ store: StoreClient, _ patience: ObjectPatience,
        _ work: @escaping @Sendable (Item, borrowing ObjectCall) throws(ObjectError) -> Void
    ) throws(ObjectError) {
        let rest = Mutex((items: items[...], failure: ObjectError?.none))
        let isDone = DispatchSemaphore(value: 0)
        @Sendable func next() {
            let item = rest.withLock { $0.failure == nil ? $0.items.popFirst() : nil }
            guard let item else {
                isDone.signal()
                return
            }
            submit(store, patience, CallCancellation()) { call throws(ObjectError) in
                try work(item, call)
            } _: { result in
                if case .failure(let error) = result { rest.withLock { $0.failure = $0.failure ?? error } }
                next()
            }
        }
        for _ in 0..<count { next() }
        for _ in 0..<count { isDone.wait() }
        if let failure = rest.withLock({ $0.failure }) { throw failure }
    }

    private func submit<Value: Sendable>(
        _ store: StoreClient, _ patience: ObjectPatience, _ cancellation: CallCancellation,
        _ work: @escaping @Sendable (borrowing ObjectCall) throws(ObjectError) -> Value,
        _ finish: @escaping @Sendable (Result<Value, ObjectError>) -> Void
    ) {
        let end = clock.now() + patience.total
        take(for: patience.total, cancellation) { [self] lane in
            guard let lane else {
                return finish(
                    .failure(
                        cancellation.isCancelled
                            ? .cancelled
                            : .unavailable(reason: "no connection became free in time", retryAfter: nil)))
            }
            lane.queue.async {
                let call = ObjectCall(
                    store: store, fetcher: lane.fetcher, cancellation: cancellation, patience: patience,
                    clock: self.clock, end: end)
                let result = Result { () throws(ObjectError) in try work(call) }
                cancellation.onCancel(nil)
                self.giveBack(lane)
                finish(result)
            }
        }
    }

    private func take(
        for time: Duration, _ cancellation: CallCancellation, _ start: @escaping @Sendable (Lane?) -> Void
    ) {
        let (lane, id) = state.withLock { state -> (Lane?, Int) in
            if let lane = state.idle.popLast() { return (lane, 0) }
            state.lastID += 1
            state.waiting.append(Waiting(id: state.lastID, start: start))
            return (nil, state.lastID)
        }
        if let lane { return start(lane) }
        cancellation.onCancel { [weak self] in self?.drop(id) }
        timer.asyncAfter(deadline: .now() + .nanoseconds(Int(clamping: time.inNanoseconds))) { [weak self] in
            self?.drop(id)
        }
    }

    private func giveBack(_ lane: Lane) {
        let next = state.withLock { state -> Waiting? in
            guard !state.waiting.isEmpty else {
                state.idle.append(lane)
                return nil
            }
            return state.waiting.removeFirst()
        }
        next?.start(lane)
    }

    /// Ends the wait of a call that has no lane yet.
    private func drop(_ id: Int) {
        let dropped = state.withLock { state -> Waiting? in
            guard let index = state.waiting.firstIndex(where: { $0.id == id }) else { return nil }
            return state.waiting.remove(at: index)
        }
        dropped?.start(nil)
    }
}

/// A result for which one thread waits.
private final class Outcome<Value: Sendable>: Sendable {
    private let result = Mutex<Result<Value, ObjectError>?>(nil)
    private let isSet = DispatchSemaphore(value: 0)

    func set(_ value: Result<Value, ObjectError>) {
        result.withLock { $0 = value }
        isSet.signal()
    }

    func wait() -> Result<Value, ObjectError> {
        isSet.wait()
        return result.withLock { $0 } ?? .failure(.cancelled)
    }
}
