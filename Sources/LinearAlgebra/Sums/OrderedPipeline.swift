import Glibc

/// Runs `count` pieces of work on its own threads. The calling thread feeds and drains them in ascending order.
///
/// `prepare` and `consume` run only on the calling thread, so they may use resources that are bound to it, such as a
/// database transaction. `work` runs on any thread. At most `threads + 1` pieces are between `prepare` and the end of
/// `consume`. With one thread everything runs on the caller's thread. Blocks until all pieces are done; do not call it
/// on a cooperative pool.
///
/// - Throws: the calling thread's first error, after waiting for work that has begun.
package func orderedPipeline<Input: Sendable, Output: Sendable>(
    count: Int, threads: Int,
    prepare: (Int) throws -> Input,
    work: @Sendable (Int, Input) throws -> Output,
    consume: (Int, Output) throws -> Void
) throws {
    let threads = min(threads, count)
    guard threads > 1 else {
        for index in 0..<count { try consume(index, try work(index, try prepare(index))) }
        return
    }
    try withoutActuallyEscaping(work) { work in
        let board = PipelineBoard(work: work)
        var workers: [pthread_t] = []
        defer {
            board.close()
            for worker in workers { pthread_join(worker, nil) }
        }
        for _ in 0..<threads { try workers.append(startThread { board.runWorker() }) }
        var prepared = 0
        for index in 0..<count {
            while prepared < min(count, index + threads + 1) {
                board.post(prepared, try prepare(prepared))
                prepared += 1
            }
            try consume(index, try board.result(of: index).get())
        }
    }
}

/// A thread could not be started.
package struct ThreadError: Error, Equatable, Sendable {
    package let code: Int32
}

private final class ThreadBody {
    let run: () -> Void
    init(_ run: @escaping () -> Void) { self.run = run }
}

private func startThread(_ run: @escaping @Sendable () -> Void) throws -> pthread_t {
    var thread = pthread_t()
    let body = Unmanaged.passRetained(ThreadBody(run))
    let code = pthread_create(
        &thread, nil,
        { context in
            guard let context else { return nil }
            Unmanaged<ThreadBody>.fromOpaque(context).takeRetainedValue().run()
            return nil
        }, body.toOpaque())
    guard code == 0 else {
        body.release()
        throw ThreadError(code: code)
    }
    return thread
}
