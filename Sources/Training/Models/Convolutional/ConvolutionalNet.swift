package import LinearAlgebra
package import TrainingData

/// A convolutional net on a frozen base: convolutions with ReLU and pool, then linear layers with a ReLU between two.
///
/// All memory is taken for one batch size when it is made; a step allocates nothing.
package final class ConvolutionalNet: TrainableModel {
    package let layers: [AdaptedLayer]
    package var dense: [DenseTensor] { [] }
    private let convolutions: [ConvolutionStep]
    private let linear: [LinearStep]
    /// Numbers of an example that leave each layer.
    private let widths: [Int]
    private let input: FeatureBatch
    /// One a layer (batch × numbers): what leaves it, after ReLU and pool, and its gradient.
    private let outputs: [FloatBlock]
    private let gradients: [FloatBlock]

    /// - Parameters:
    ///   - layers: one for each of the shape's, convolutions first; one of `biases` each.
    ///   - featureScale: what features are divided by.
    init(
        _ shape: ConvolutionalShape, _ layers: [AdaptedLayer], biases: [FrozenTensor], featureScale: Float,
        batchLimit: Int
    ) {
        self.layers = layers
        let count = shape.convolutions.count
        convolutions = shape.convolutions.indices.map { index in
            ConvolutionStep(shape.convolutions[index], layers[index], bias: biases[index], rowLimit: batchLimit)
        }
        linear = (count..<layers.count).map { LinearStep(layers[$0], bias: biases[$0], rowLimit: batchLimit) }
        widths = shape.convolutions.map(\.outputCount) + shape.linear.map(\.outputs)
        input = FeatureBatch(limit: batchLimit, width: shape.inputs, scale: featureScale)
        outputs = widths.map { FloatBlock(count: batchLimit * $0) }
        gradients = widths.map { FloatBlock(count: batchLimit * $0) }
    }

    package func forward(_ examples: DataSet, _ indices: ArraySlice<Int>) -> BatchResult {
        input.gather(examples, indices)
        let last = layers.count - 1
        for (index, step) in convolutions.enumerated() { step.forward(input(of: index), into: output(of: index)) }
        for (offset, step) in linear.enumerated() {
            let index = convolutions.count + offset
            step.forward(input(of: index), into: output(of: index), appliesReLU: index < last)
        }
        return SoftmaxLoss.compare(output(of: last).readOnly, with: input.labels, gradient: gradient(of: last))
    }

    package func backward() {
        for (offset, step) in linear.enumerated().reversed() {
            let index = convolutions.count + offset
            let below = gradient(of: index - 1)
            step.backward(input(of: index), gradient: gradient(of: index).readOnly, into: below)
            // A convolution's step has its own ReLU.
            if offset > 0 { ReLU.propagate(below, where: input(of: index)) }
        }
        for (index, step) in convolutions.enumerated().reversed() {
            step.backward(
                input(of: index), gradient: gradient(of: index).readOnly,
                into: index > 0 ? gradient(of: index - 1) : nil)
        }
    }

    package func logits(rows: Int) -> MatrixView {
        outputs[layers.count - 1].matrix(rows: rows, columns: widths[layers.count - 1]).readOnly
    }

    private func input(of layer: Int) -> MatrixView { layer == 0 ? input.matrix : output(of: layer - 1).readOnly }

    private func output(of layer: Int) -> MutableMatrixView {
        outputs[layer].matrix(rows: input.rows, columns: widths[layer])
    }

    private func gradient(of layer: Int) -> MutableMatrixView {
        gradients[layer].matrix(rows: input.rows, columns: widths[layer])
    }
}
