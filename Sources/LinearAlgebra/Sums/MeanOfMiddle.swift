import CVectors

/// Writes, for every column, the mean of the middle of its sorted values: a trimmed mean, or a median.
///
/// Each column is sorted by the same network of comparisons and its middle is added in ascending order in float64, so the
/// result does not depend on the blocking. O(columns·terms·log²(terms)); uses scratch memory of 32·terms floats.
///
/// - Parameters:
///   - terms: rows of the target's length, at least one; finite numbers.
///   - middle: the places that count; not empty, and within the terms.
///   - target: memory that need not be initialized.
///   - vectors: a width that this processor has.
package func meanOfMiddle(
    _ terms: [UnsafePointer<Float>], middle: Range<Int>, into target: UnsafeMutableBufferPointer<Float>,
    vectors: VectorWidth = .widest
) {
    let count = terms.count
    precondition(
        !middle.isEmpty && middle.lowerBound >= 0 && middle.upperBound <= count, "a middle outside its values")
    let lanes = Int(ORDER_LANES)
    guard let target = target.baseAddress.map({ UnsafeMutableBufferPointer(start: $0, count: target.count) }) else {
        return
    }
    ScratchMemory.with(byteCount: (count + 1) * lanes * 4) { scratch in
        let tile = scratch.bindMemory(to: Float.self)
        guard let values = tile.baseAddress, let sums = target.baseAddress else { return }
        let means = values + count * lanes
        for first in stride(from: 0, to: target.count, by: lanes) {
            let width = min(lanes, target.count - first)
            for (place, term) in terms.enumerated() {
                let row = values + place * lanes
                row.update(from: term + first, count: width)
                if width < lanes { (row + width).update(repeating: 0, count: lanes - width) }
            }
            order_mean_of_middle(vectors == .eight, values, count, middle.lowerBound, middle.upperBound, means)
            (sums + first).update(from: means, count: width)
        }
    }
}
