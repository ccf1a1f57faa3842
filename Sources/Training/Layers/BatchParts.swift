import Dispatch

/// The two parts in which a step is computed: at the same time, or one after the other.
///
/// What is in which part depends on the batch and the model alone, so that the bytes do not depend on the threads.
struct BatchParts: Sendable {
    static let count = 2

    let areConcurrent: Bool

    /// - Parameter threads: how many a step may use.
    init(threads: Int) { areConcurrent = threads > 1 }

    /// Has both parts done.
    func perform(_ body: (_ part: Int) -> Void) {
        guard areConcurrent else {
            for part in 0..<Self.count { body(part) }
            return
        }
        nonisolated(unsafe) let body = body
        DispatchQueue.concurrentPerform(iterations: Self.count) { body($0) }
    }

    /// What the body makes of 0..<count, half of it in each part.
    func map<Value: Sendable>(_ count: Int, _ body: (Int) -> Value) -> [Value] {
        var values = [Value?](repeating: nil, count: count)
        values.withUnsafeMutableBufferPointer { values in
            nonisolated(unsafe) let (values, body) = (values, body)
            perform { part in
                for index in Self.part(part, of: count) { values[index] = body(index) }
            }
        }
        return values.compactMap(\.self)
    }

    /// Which of `count` things a part has; the first has one more of an odd number.
    static func part(_ part: Int, of count: Int) -> Range<Int> {
        let middle = (count + 1) / 2
        return part == 0 ? 0..<middle : middle..<count
    }
}
