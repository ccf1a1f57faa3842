import LinearAlgebra

/// The forward and backward pass of query, key or value of one layer, for the rows of a workspace: y = x·Wᵀ + bias +
/// s·(x·Aᵀ)·Bᵀ, and its gradients.
///
/// The factors' gradients are those of the workspace's texts; `collect` sums them.
final class BertProjection {
    private let layer: AdaptedLayer
    private let bias: FrozenTensor
    /// (rows × rank): x·Aᵀ, and its gradient.
    private let hidden: FloatBlock
    private let hiddenGradient: FloatBlock
    /// (rank × inputs) and (rank × outputs)
    private let gradientOfA: FloatBlock
    private let gradientOfB: FloatBlock

    init(_ layer: AdaptedLayer, bias: FrozenTensor, rowLimit: Int) {
        self.layer = layer
        self.bias = bias
        let rank = layer.lora?.rank ?? 0
        hidden = FloatBlock(count: rowLimit * rank)
        hiddenGradient = FloatBlock(count: rowLimit * rank)
        gradientOfA = FloatBlock(count: rank * layer.inputs)
        gradientOfB = FloatBlock(count: rank * layer.outputs)
    }

    var isAdapted: Bool { layer.lora != nil }

    /// - Parameters:
    ///   - input: (rows × inputs), `output` (rows × outputs).
    func forward(_ input: MatrixView, into output: MutableMatrixView) {
        RowArithmetic.fill(output, with: bias.floats)
        MatrixProduct.accumulate(into: output, keep: 1, input, .asGiven, layer.frozen.weight.matrix, .transposed)
        guard let lora = layer.lora else { return }
        let hidden = hidden.matrix(rows: input.rows, columns: lora.rank)
        MatrixProduct.accumulate(into: hidden, input, .asGiven, lora.a.matrix, .transposed)
        MatrixProduct.accumulate(
            into: output, keep: 1, scale: lora.scale, hidden.readOnly, .asGiven, lora.b.matrix, .asGiven)
    }

    /// Computes the workspace's part of the factors' gradients, for the input of the last `forward`.
    ///
    /// - Parameters:
    ///   - gradient: the output's gradient (rows × outputs).
    ///   - inputGradient: dY·W + s·(dY·B)·A is added to it; nil where it is not needed.
    func backward(_ input: MatrixView, gradient: MatrixView, addingTo inputGradient: MutableMatrixView?) {
        if let inputGradient {
            MatrixProduct.accumulate(
                into: inputGradient, keep: 1, gradient, .asGiven, layer.frozen.weight.matrix, .asGiven)
        }
        guard let lora = layer.lora else { return }
        let hidden = hidden.matrix(rows: input.rows, columns: lora.rank).readOnly
        let target = hiddenGradient.matrix(rows: input.rows, columns: lora.rank)
        MatrixProduct.accumulate(
            into: gradientOfB.matrix(rows: lora.rank, columns: layer.outputs), scale: lora.scale, hidden, .transposed,
            gradient, .asGiven)
        MatrixProduct.accumulate(into: target, scale: lora.scale, gradient, .asGiven, lora.b.matrix, .transposed)
        MatrixProduct.accumulate(
            into: gradientOfA.matrix(rows: lora.rank, columns: layer.inputs), target.readOnly, .transposed, input,
            .asGiven)
        if let inputGradient {
            MatrixProduct.accumulate(
                into: inputGradient, keep: 1, target.readOnly, .asGiven, lora.a.matrix, .asGiven)
        }
    }

    /// Adds the workspace's part to the layer's gradients; the first part replaces them.
    func collect(isFirst: Bool) {
        guard let lora = layer.lora else { return }
        for (part, whole) in [(gradientOfA, lora.a.gradient), (gradientOfB, lora.b.gradient)] {
            for index in whole.floats.indices {
                whole.floats[index] = part.floats[index] + (isFirst ? 0 : whole.floats[index])
            }
        }
    }
}
