package import LinearAlgebra

/// The mini-batch in hand of a model that takes features: rows gathered from a data set, and their classes.
package final class FeatureBatch {
    /// How many examples were gathered last.
    package private(set) var rows = 0
    private let width: Int
    private let scale: Float
    private let features: FloatBlock
    private let classes: UnsafeMutableBufferPointer<Int>

    /// - Parameter scale: what features are divided by.
    package init(limit: Int, width: Int, scale: Float) {
        self.width = width
        self.scale = scale
        features = FloatBlock(count: limit * width)
        classes = .allocate(capacity: limit)
        classes.initialize(repeating: 0)
    }

    deinit { classes.deallocate() }

    /// (rows × width)
    package var matrix: MatrixView { features.matrix(rows: rows, columns: width).readOnly }
    package var labels: UnsafeBufferPointer<Int> { UnsafeBufferPointer(rebasing: classes[..<rows]) }

    /// - Precondition: the indices are of `examples` and no more than the limit.
    package func gather(_ examples: DataSet, _ indices: ArraySlice<Int>) {
        precondition(indices.count <= classes.count && examples.width == width, "a batch of \(indices.count)")
        rows = indices.count
        guard let target = features.floats.baseAddress else { return }
        let factor = 1 / scale
        examples.features.withUnsafeBufferPointer { source in
            guard let source = source.baseAddress else { return }
            for (row, index) in indices.enumerated() {
                classes[row] = examples.labels[index]
                let (from, to) = (source + index * width, target + row * width)
                if scale == 1 {
                    to.update(from: from, count: width)
                } else {
                    for column in 0..<width { to[column] = from[column] * factor }
                }
            }
        }
    }
}
