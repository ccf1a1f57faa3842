import AdapterFormat
import Synchronization

/// Arrays that sums are formed in, handed on from module to module.
///
/// The allocator would keep several times what is in use, more or less of it by chance, or map fresh pages for every sum.
final class FloatPool: Sendable {
    private let arrays = Mutex<[[Float]]>([])
    private let limit: Int

    /// - Parameter limit: how many arrays are kept.
    init(limit: Int = 0) { self.limit = limit }

    /// An array of `count` numbers of any value.
    func take(_ count: Int) -> [Float] {
        let known = arrays.withLock { arrays -> [Float]? in
            guard let index = arrays.firstIndex(where: { $0.count == count }) else { return nil }
            return arrays.remove(at: index)
        }
        return known ?? [Float](unsafeUninitializedCapacity: count) { $1 = count }
    }

    /// Takes back the arrays of a result that has been written, which is of no use after this.
    ///
    /// An array that somebody else still holds is copied when it is next written to: nothing is lost by it but time.
    func give(_ result: inout ModuleResult) {
        var spent = result.factors.surrender()
        arrays.withLock { arrays in
            while arrays.count < limit, let array = spent.popLast() { arrays.append(array) }
        }
    }
}
