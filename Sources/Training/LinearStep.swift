package import LinearAlgebra

/// One linear layer at work on batches: y = x·Wᵀ + bias + s·(x·Aᵀ)·Bᵀ, and its gradients.
///
/// All memory is taken when it is made; a step allocates nothing.
package final class LinearStep {
    package let layer: AdaptedLayer
    /// (outputs)
    private let bias: FrozenTensor?
    /// (rows × rank): x·Aᵀ, and its gradient.
    private let hidden: FloatBlock
    private let hiddenGradient: FloatBlock

    /// - Parameter rowLimit: how many rows a batch has at most.
    package init(_ layer: AdaptedLayer, bias: FrozenTensor?, rowLimit: Int) {
        self.layer = layer
        self.bias = layer.full.map { FrozenTensor(shape: [layer.outputs], block: $0.bias.values) } ?? bias
        let count = rowLimit * (layer.lora?.rank ?? 0)
        hidden = FloatBlock(count: count)
        hiddenGradient = FloatBlock(count: count)
    }

    /// - Parameters:
    ///   - input: (rows × inputs), `output` (rows × outputs).
    ///   - rectified: whether negative outputs become zero.
    package func forward(_ input: MatrixView, into output: MutableMatrixView, rectified: Bool = false) {
        if let bias, let numbers = bias.floats.baseAddress {
            for row in 0..<output.rows {
                (output.base + row * output.stride).update(from: numbers, count: output.columns)
            }
        }
        MatrixProduct.accumulate(
            into: output, keep: bias == nil ? 0 : 1, input, .asGiven, layer.frozen.weight.matrix, .transposed)
        if let lora = layer.lora {
            let hidden = hidden.matrix(rows: input.rows, columns: lora.rank)
            MatrixProduct.accumulate(into: hidden, input, .asGiven, lora.a.matrix, .transposed)
            MatrixProduct.accumulate(
                into: output, keep: 1, scale: lora.scale, hidden.readOnly, .asGiven, lora.b.matrix, .asGiven)
        }
        if rectified { Rectifier.apply(to: output) }
    }

    /// Fills the gradients of what is trained on the layer, for the input that `forward` had last.
    ///
    /// - Parameters:
    ///   - gradient: of the output (rows × outputs).
    ///   - inputGradient: takes dY·W + s·(dY·B)·A where somebody needs it.
    package func backward(
        _ input: MatrixView, gradient: MatrixView, into inputGradient: MutableMatrixView? = nil
    ) {
        if let target = inputGradient {
            MatrixProduct.accumulate(into: target, gradient, .asGiven, layer.frozen.weight.matrix, .asGiven)
        }
        if let lora = layer.lora {
            let hidden = hidden.matrix(rows: input.rows, columns: lora.rank).readOnly
            let target = hiddenGradient.matrix(rows: input.rows, columns: lora.rank)
            MatrixProduct.accumulate(
                into: lora.b.gradientMatrix, scale: lora.scale, hidden, .transposed, gradient, .asGiven)
            MatrixProduct.accumulate(
                into: target, scale: lora.scale, gradient, .asGiven, lora.b.matrix, .transposed)
            MatrixProduct.accumulate(into: lora.a.gradientMatrix, target.readOnly, .transposed, input, .asGiven)
            if let inputGradient {
                MatrixProduct.accumulate(
                    into: inputGradient, keep: 1, target.readOnly, .asGiven, lora.a.matrix, .asGiven)
            }
        }
        layer.sparse?.collect(gradient, input: input)
        if let full = layer.full {
            MatrixProduct.accumulate(into: full.weight.gradientMatrix, gradient, .transposed, input, .asGiven)
            full.bias.fillGradient(withColumnSumsOf: gradient)
        }
    }
}
