import Dispatch
import Synchronization

/// Spreads units of work over threads. A unit's bytes do not depend on the thread that computes it.
struct WorkUnits: Sendable {
    let threads: Int

    /// - Parameter threads: the highest number of units at a time.
    init(threads: Int) { self.threads = max(1, threads) }

    /// Computes the units 0..<count; returns when all are done.
    ///
    /// - Parameter body: receives a unit, and the number of its thread below `threads`. No two units that run at the same
    ///   time have the same number.
    func perform(_ count: Int, _ body: (_ unit: Int, _ thread: Int) -> Void) {
        let used = min(threads, count)
        guard used > 1 else {
            for unit in 0..<count { body(unit, 0) }
            return
        }
        nonisolated(unsafe) let body = body
        let next = Atomic(0)
        DispatchQueue.concurrentPerform(iterations: used) { thread in
            while true {
                let unit = next.add(1, ordering: .relaxed).oldValue
                guard unit < count else { return }
                body(unit, thread)
            }
        }
    }

    /// `count` items in at most `parts` ranges of about the same length, without empty ones. They depend on the two numbers
    /// alone.
    static func ranges(_ count: Int, parts: Int) -> [Range<Int>] {
        (0..<parts).map { count * $0 / parts..<count * ($0 + 1) / parts }.filter { !$0.isEmpty }
    }
}
