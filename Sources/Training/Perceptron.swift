package import LinearAlgebra

/// A multilayer perceptron on a frozen base: linear layers, and a ReLU between every two.
///
/// All memory is taken for one batch size when it is made; a step allocates nothing.
package final class Perceptron: TrainableModel {
    package let layers: [AdaptedLayer]
    package var dense: [DenseTensor] { [] }
    private let steps: [LinearStep]
    private let widths: [Int]
    /// The mini-batch in hand: (batch × inputs) and its classes.
    private let input: FeatureBatch
    /// One a layer (batch × outputs): the output, after ReLU where one follows, and its gradient.
    private let outputs: [FloatBlock]
    private let gradients: [FloatBlock]

    /// - Parameters:
    ///   - biases: one a layer.
    ///   - featureScale: what features are divided by.
    init(_ layers: [AdaptedLayer], biases: [FrozenTensor], featureScale: Float, batchLimit: Int) {
        self.layers = layers
        steps = zip(layers, biases).map { LinearStep($0, bias: $1, rowLimit: batchLimit) }
        widths = layers.map(\.outputs)
        input = FeatureBatch(limit: batchLimit, width: layers[0].inputs, scale: featureScale)
        outputs = widths.map { FloatBlock(count: batchLimit * $0) }
        gradients = widths.map { FloatBlock(count: batchLimit * $0) }
    }

    package func forward(_ examples: DataSet, _ indices: ArraySlice<Int>) -> BatchResult {
        input.gather(examples, indices)
        let last = steps.count - 1
        for (index, step) in steps.enumerated() {
            step.forward(self.input(of: index), into: output(of: index), rectified: index < last)
        }
        return SoftmaxLoss.compare(output(of: last).readOnly, with: input.labels, gradient: gradient(of: last))
    }

    package func backward() {
        for (index, step) in steps.enumerated().reversed() {
            let below = index > 0 ? gradient(of: index - 1) : nil
            step.backward(input(of: index), gradient: gradient(of: index).readOnly, into: below)
            if let below { Rectifier.close(below, where: input(of: index)) }
        }
    }

    package func logits(rows: Int) -> MatrixView {
        outputs[steps.count - 1].matrix(rows: rows, columns: widths[steps.count - 1]).readOnly
    }

    private func input(of layer: Int) -> MatrixView { layer == 0 ? input.matrix : output(of: layer - 1).readOnly }

    private func output(of layer: Int) -> MutableMatrixView {
        outputs[layer].matrix(rows: input.rows, columns: widths[layer])
    }

    private func gradient(of layer: Int) -> MutableMatrixView {
        gradients[layer].matrix(rows: input.rows, columns: widths[layer])
    }
}
