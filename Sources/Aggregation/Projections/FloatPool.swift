import AdapterFormat
import Synchronization

/// Arrays for sums, reused from module to module.
///
/// Without it, the allocator would keep several times the memory in use, by a varying amount, or map new pages for
/// every sum.
final class FloatPool: Sendable {
    private let arrays = Mutex<[[Float]]>([])
    private let limit: Int

    /// - Parameter limit: the number of arrays to keep.
    init(limit: Int = 0) { self.limit = limit }

    /// An array of `count` numbers with any values.
    func take(_ count: Int) -> [Float] {
        let known = arrays.withLock { arrays -> [Float]? in
            guard let index = arrays.firstIndex(where: { $0.count == count }) else { return nil }
            return arrays.remove(at: index)
        }
        return known ?? [Float](unsafeUninitializedCapacity: count) { $1 = count }
    }

    /// Takes back the arrays of a written result, which must not be used afterwards.
    ///
    /// If somebody else still holds an array, the next write copies it. This costs only time.
    func give(_ result: inout ModuleResult) {
        var spent = result.factors.surrender()
        arrays.withLock { arrays in
            while arrays.count < limit, let array = spent.popLast() { arrays.append(array) }
        }
    }
}
