package import LinearAlgebra
package import TrainingData

/// A multilayer perceptron on a frozen base: linear layers with a ReLU between them.
///
/// A batch passes the layers in two halves, and each layer's gradients are computed in two parts; with two threads
/// these run in parallel. All memory is allocated for one batch size at initialisation, none in a step.
package final class Perceptron: ClassifyingModel {
    package let layers: [AdaptedLayer]
    package var dense: [DenseTensor] { [] }
    private let steps: [LinearStep]
    private let widths: [Int]
    private let parts: BatchParts
    /// The current mini-batch (batch × inputs) and its classes.
    private let input: FeatureBatch
    /// For each layer, its output (batch × outputs), after ReLU where one follows, and the gradient.
    private let outputs: [FloatBlock]
    private let gradients: [FloatBlock]

    /// - Parameters:
    ///   - biases: one for each layer.
    ///   - featureScale: the divisor of all features.
    ///   - parts: how the parts of a step are computed.
    init(
        _ layers: [AdaptedLayer], biases: [FrozenTensor], featureScale: Float, batchLimit: Int,
        parts: BatchParts = BatchParts(threads: 2)
    ) {
        self.layers = layers
        self.parts = parts
        steps = zip(layers, biases).map { LinearStep($0, bias: $1, rowLimit: batchLimit) }
        widths = layers.map(\.outputs)
        input = FeatureBatch(limit: batchLimit, width: layers[0].inputs, scale: featureScale)
        outputs = widths.map { FloatBlock(count: batchLimit * $0) }
        gradients = widths.map { FloatBlock(count: batchLimit * $0) }
    }

    package func forward(_ examples: DataSet, _ indices: ArraySlice<Int>) -> BatchResult {
        input.begin(indices.count)
        let last = steps.count - 1
        forEachPart { rows in
            input.gather(examples, indices, rows: rows)
            for (index, step) in steps.enumerated() {
                step.forward(
                    part(rows, ofInput: index), into: part(rows, of: outputs, layer: index), from: rows.lowerBound,
                    appliesReLU: index < last)
            }
        }
        return SoftmaxLoss.compare(logits(rows: input.rows), with: input.labels, gradient: gradient(of: last))
    }

    package func backward() {
        forEachPart { rows in
            for (index, step) in steps.enumerated().reversed() {
                let below = index > 0 ? part(rows, of: gradients, layer: index - 1) : nil
                step.propagate(
                    part(rows, of: gradients, layer: index).readOnly, into: below, from: rows.lowerBound)
                if let below { ReLU.propagate(below, where: part(rows, ofInput: index)) }
            }
        }
        parts.perform { part in
            for (index, step) in steps.enumerated() {
                let input = index == 0 ? input.matrix : output(of: index - 1).readOnly
                step.collect(input, gradient: gradient(of: index).readOnly, part: part)
            }
        }
    }

    package func logits(rows: Int) -> MatrixView {
        outputs[steps.count - 1].matrix(rows: rows, columns: widths[steps.count - 1]).readOnly
    }

    private func forEachPart(_ body: (_ rows: Range<Int>) -> Void) {
        parts.perform { part in
            let rows = BatchParts.part(part, of: input.rows)
            if !rows.isEmpty { body(rows) }
        }
    }

    private func part(_ rows: Range<Int>, of blocks: [FloatBlock], layer: Int) -> MutableMatrixView {
        blocks[layer].matrix(at: rows.lowerBound * widths[layer], rows: rows.count, columns: widths[layer])
    }

    private func part(_ rows: Range<Int>, ofInput layer: Int) -> MatrixView {
        layer == 0
            ? input.matrix.block(rows, 0..<input.matrix.columns) : part(rows, of: outputs, layer: layer - 1).readOnly
    }

    private func output(of layer: Int) -> MutableMatrixView {
        outputs[layer].matrix(rows: input.rows, columns: widths[layer])
    }

    private func gradient(of layer: Int) -> MutableMatrixView {
        gradients[layer].matrix(rows: input.rows, columns: widths[layer])
    }
}
