import Glibc

/// The calling thread posts work here and finds results.
///
/// `@unchecked Sendable`: every mutable field is accessed only under `lock`.
final class PipelineBoard<Input: Sendable, Output: Sendable>: @unchecked Sendable {
    private let work: @Sendable (Int, Input) throws -> Output
    private let lock: UnsafeMutablePointer<pthread_mutex_t>
    private let changed: UnsafeMutablePointer<pthread_cond_t>
    private var waiting: [(index: Int, input: Input)] = []
    private var results: [Int: Result<Output, any Error>] = [:]
    private var isClosed = false

    init(work: @escaping @Sendable (Int, Input) throws -> Output) {
        self.work = work
        lock = .allocate(capacity: 1)
        changed = .allocate(capacity: 1)
        pthread_mutex_init(lock, nil)
        pthread_cond_init(changed, nil)
    }

    deinit {
        pthread_cond_destroy(changed)
        pthread_mutex_destroy(lock)
        changed.deallocate()
        lock.deallocate()
    }

    func post(_ index: Int, _ input: Input) {
        locked { waiting.append((index, input)) }
    }

    /// Stops taking work; drops posted work that has not begun.
    func close() {
        locked {
            isClosed = true
            waiting.removeAll()
        }
    }

    func result(of index: Int) -> Result<Output, any Error> {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        while true {
            if let result = results.removeValue(forKey: index) { return result }
            pthread_cond_wait(changed, lock)
        }
    }

    func runWorker() {
        while let (index, input) = next() {
            let result = Result { try work(index, input) }
            locked { results[index] = result }
        }
    }

    private func next() -> (index: Int, input: Input)? {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        while waiting.isEmpty {
            if isClosed { return nil }
            pthread_cond_wait(changed, lock)
        }
        return waiting.removeFirst()
    }

    private func locked(_ change: () -> Void) {
        pthread_mutex_lock(lock)
        change()
        pthread_mutex_unlock(lock)
        pthread_cond_broadcast(changed)
    }
}
