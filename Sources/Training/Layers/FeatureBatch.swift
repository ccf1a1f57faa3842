package import LinearAlgebra
package import TrainingData

/// The current mini-batch of a model with features as input: rows gathered from a data set, and their classes.
package final class FeatureBatch {
    /// The number of examples in the batch.
    package private(set) var rows = 0
    private let width: Int
    private let scale: Float
    private let features: FloatBlock
    private let classes: UnsafeMutableBufferPointer<Int>

    /// - Parameter scale: the divisor of all features.
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

    /// - Precondition: the indices are valid in `examples`, and there are no more than the limit.
    package func gather(_ examples: DataSet, _ indices: ArraySlice<Int>) {
        begin(indices.count)
        gather(examples, indices, rows: 0..<rows)
    }

    /// Begins a batch of `count` rows. Different rows may then be gathered in parallel.
    ///
    /// - Precondition: `count` is at most the limit.
    func begin(_ count: Int) {
        precondition(count <= classes.count, "a batch of \(count)")
        rows = count
    }

    /// Gathers some rows of the batch.
    ///
    /// - Precondition: the indices are valid in `examples`, and there is one for each row of the batch.
    func gather(_ examples: DataSet, _ indices: ArraySlice<Int>, rows part: Range<Int>) {
        precondition(indices.count == rows && part.upperBound <= rows && examples.width == width, "rows of a batch")
        guard let target = features.floats.baseAddress else { return }
        let factor = 1 / scale
        examples.features.withUnsafeBufferPointer { source in
            guard let source = source.baseAddress else { return }
            for row in part {
                let index = indices[indices.startIndex + row]
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
