package import LinearAlgebra

/// Numbers of a base model, shared by all models that are made from it.
///
/// It is `@unchecked Sendable` because its block is written before any other thread sees it, and never again. The one
/// exception is a `SparseLayer`, which writes to its own copy on one thread.
package struct FrozenTensor: @unchecked Sendable {
    package let shape: [Int]
    let block: FloatBlock

    /// - Precondition: nobody else writes to `block`, and it holds the numbers of `shape`, row-major.
    package init(shape: [Int], block: FloatBlock) {
        precondition(shape.reduce(1, *) == block.floats.count, "\(block.floats.count) numbers for \(shape)")
        self.shape = shape
        self.block = block
    }

    package init(shape: [Int], _ values: [Float]) {
        let block = FloatBlock(count: values.count)
        _ = block.floats.update(from: values)
        self.init(shape: shape, block: block)
    }

    /// Valid while the tensor lives.
    package var floats: UnsafeBufferPointer<Float> { UnsafeBufferPointer(block.floats) }

    package var values: [Float] { withExtendedLifetime(block) { Array(block.floats) } }

    /// As a matrix: the first dimension by all others.
    package var matrix: MatrixView {
        MatrixView(floats, rows: shape[0], columns: floats.count / shape[0])
    }

    /// A copy of the numbers.
    func copy() -> FloatBlock {
        let copy = FloatBlock(count: block.floats.count)
        _ = copy.floats.update(from: block.floats)
        return copy
    }
}
