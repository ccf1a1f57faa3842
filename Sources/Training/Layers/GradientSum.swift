import LinearAlgebra

/// The weighted mean of the gradients of several batches, or parts of one. It takes memory from the first of them on.
final class GradientSum {
    private var sums: [FloatBlock] = []
    private var total = 0

    /// Adds the gradients of a batch that predicts `weight` tokens or examples.
    func take(_ tensors: [TrainedTensor], weight: Int) {
        if sums.isEmpty { sums = tensors.map { FloatBlock(count: $0.rows * $0.columns) } }
        for (sum, tensor) in zip(sums, tensors) {
            if total == 0 { sum.floats.update(repeating: 0) }
            Self.add(tensor.gradient, by: Float(weight), to: sum)
        }
        total += weight
    }

    private static func add(_ block: FloatBlock, by factor: Float, to target: FloatBlock) {
        guard let source = block.floats.baseAddress, let target = target.floats.baseAddress else { return }
        for index in 0..<block.floats.count { target[index] += factor * source[index] }
    }

    /// The tensors' gradients ← the mean of what was taken, if anything was; the next batch begins a new one.
    func write(to tensors: [TrainedTensor]) {
        guard total > 0 else { return }
        let factor = 1 / Float(total)
        for (sum, tensor) in zip(sums, tensors) {
            tensor.gradient.floats.update(repeating: 0)
            Self.add(sum, by: factor, to: tensor.gradient)
        }
        total = 0
    }
}
