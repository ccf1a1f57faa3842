import Dispatch

/// The two parts of a training step, computed in parallel or one after the other.
///
/// The parts depend only on the batch and the model, so that the bytes do not depend on the number of threads.
struct BatchParts: Sendable {
    static let count = 2

    let areConcurrent: Bool

    /// - Parameter threads: the number of threads that a step may use.
    init(threads: Int) { areConcurrent = threads > 1 }

    /// Computes both parts.
    func perform(_ body: (_ part: Int) -> Void) {
        guard areConcurrent else {
            for part in 0..<Self.count { body(part) }
            return
        }
        nonisolated(unsafe) let body = body
        DispatchQueue.concurrentPerform(iterations: Self.count) { body($0) }
    }

    /// The body's values for 0..<count; each part computes half of them.
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

    /// The indices of `count` items that belong to a part. The first part has one more where the number is odd.
    static func part(_ part: Int, of count: Int) -> Range<Int> {
        let middle = (count + 1) / 2
        return part == 0 ? 0..<middle : middle..<count
    }
}
