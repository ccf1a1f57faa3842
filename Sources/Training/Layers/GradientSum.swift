import LinearAlgebra

/// The weighted mean of the gradients of several batches.
final class GradientSum {
    private let sums: [FloatBlock]
    private var total = 0

    init(_ tensors: [TrainedTensor]) { sums = tensors.map { FloatBlock(count: $0.rows * $0.columns) } }

    /// Adds the gradients of one batch, which predicts `weight` tokens or examples.
    func take(_ tensors: [TrainedTensor], weight: Int) {
        for (sum, tensor) in zip(sums, tensors) {
            if total == 0 { sum.floats.update(repeating: 0) }
            for index in sum.floats.indices { sum.floats[index] += Float(weight) * tensor.gradient.floats[index] }
        }
        total += weight
    }

    /// The tensors' gradients ← the mean; the next batch begins a new one.
    func write(to tensors: [TrainedTensor]) {
        let factor = 1 / Float(max(1, total))
        for (sum, tensor) in zip(sums, tensors) {
            for index in sum.floats.indices { tensor.gradient.floats[index] = factor * sum.floats[index] }
        }
        total = 0
    }
}
