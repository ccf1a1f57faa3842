package import LinearAlgebra
package import TrainingData

/// A convolutional net on a frozen base: convolutions with ReLU and pool, then linear layers with a ReLU between them.
///
/// All memory is allocated for one batch size at initialisation, none in a step.
package final class ConvolutionalNet: ClassifyingModel {
    package let layers: [AdaptedLayer]
    package var dense: [DenseTensor] { [] }
    private let convolutions: [ConvolutionStep]
    private let linear: [LinearStep]
    /// The count of numbers per example in each layer's output.
    private let widths: [Int]
    private let input: FeatureBatch
    /// For each layer, its output after ReLU and pool (batch × numbers), and the gradient.
    private let outputs: [FloatBlock]
    private let gradients: [FloatBlock]

    /// - Parameters:
    ///   - layers: one for each layer of the shape, convolutions first; `biases` has one for each.
    ///   - featureScale: the divisor of all features.
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
            // A convolution's step includes its ReLU.
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
