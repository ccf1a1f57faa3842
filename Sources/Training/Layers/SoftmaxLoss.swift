import Glibc
package import LinearAlgebra

/// Softmax cross-entropy of a classifier's last layer.
package enum SoftmaxLoss {
    /// Returns the loss of `scores` (rows × classes) and writes the gradient of its mean over the rows to `gradient`.
    ///
    /// - Precondition: there is one label per row, from 0 to below the number of classes.
    package static func compare(
        _ scores: MatrixView, with labels: UnsafeBufferPointer<Int>, gradient: MutableMatrixView
    ) -> BatchResult {
        precondition(labels.count == scores.rows && gradient.rows == scores.rows, "\(labels.count) labels")
        let exampleWeight = 1 / Float(labels.count)
        var result = BatchResult(count: labels.count)
        for row in 0..<scores.rows {
            let score = scores.base + row * scores.stride
            let target = gradient.base + row * gradient.stride
            var best = 0
            for column in 1..<max(scores.columns, 1) where score[column] > score[best] { best = column }
            let highest = score[best]
            var sum: Float = 0
            for column in 0..<scores.columns {
                target[column] = expf(score[column] - highest)
                sum += target[column]
            }
            for column in 0..<scores.columns { target[column] *= exampleWeight / sum }
            target[labels[row]] -= exampleWeight
            result.loss += Double(logf(sum) + highest - score[labels[row]])
            if best == labels[row] { result.correct += 1 }
        }
        return result
    }
}
