/// Sums, products and copies of rows of floats.
///
/// Allocates nothing. What is called for short rows can be inlined in other targets.
@usableFromInline
package enum RowArithmetic {
    /// values ← values·factors, element by element.
    package static func multiply(_ values: MutableMatrixView, by factors: MatrixView) {
        for row in 0..<values.rows {
            let (target, source) = (values.base + row * values.stride, factors.base + row * factors.stride)
            for column in 0..<values.columns { target[column] *= source[column] }
        }
    }

    /// target ← target + source.
    ///
    /// - Precondition: neither overlaps the other.
    @inlinable
    package static func add(_ source: UnsafePointer<Float>, to target: UnsafeMutablePointer<Float>, count: Int) {
        let whole = count - count % FloatVector.scalarCount
        for index in stride(from: 0, to: whole, by: FloatVector.scalarCount) {
            FloatVector.store(FloatVector.load(target + index) + FloatVector.load(source + index), to: target + index)
        }
        for index in whole..<count { target[index] += source[index] }
    }

    /// Writes `row` into every row.
    package static func fill(_ target: MutableMatrixView, with row: UnsafeBufferPointer<Float>) {
        precondition(row.count == target.columns, "a row of \(row.count) for \(target.columns) columns")
        guard let source = row.baseAddress else { return }
        for index in 0..<target.rows {
            (target.base + index * target.stride).update(from: source, count: target.columns)
        }
    }

    /// Σ one·other.
    @inlinable @inline(__always)
    package static func dot(_ one: UnsafePointer<Float>, _ other: UnsafePointer<Float>, _ count: Int) -> Float {
        var sum = FloatVector(repeating: 0)
        let whole = count - count % FloatVector.scalarCount
        for index in stride(from: 0, to: whole, by: FloatVector.scalarCount) {
            sum += FloatVector.load(one + index) * FloatVector.load(other + index)
        }
        var total = sum.sum()
        for index in whole..<count { total += one[index] * other[index] }
        return total
    }

    /// Σ values.
    @inlinable @inline(__always)
    package static func sum(_ values: UnsafePointer<Float>, _ count: Int) -> Float {
        var sum = FloatVector(repeating: 0)
        let whole = count - count % FloatVector.scalarCount
        for index in stride(from: 0, to: whole, by: FloatVector.scalarCount) { sum += FloatVector.load(values + index) }
        var total = sum.sum()
        for index in whole..<count { total += values[index] }
        return total
    }
}
