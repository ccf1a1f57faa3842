package import LinearAlgebra

/// The forward and backward pass of one linear layer: y = x·Wᵀ + bias + s·(x·Aᵀ)·Bᵀ, and its gradients.
///
/// All memory is allocated at initialisation, none in a step. Different rows of a batch may be computed in parallel,
/// and so may the parts of the gradients.
package final class LinearStep {
    package let layer: AdaptedLayer
    /// (outputs)
    private let bias: FrozenTensor?
    /// (rows × rank): x·Aᵀ, and its gradient.
    private let hidden: FloatBlock
    private let hiddenGradient: FloatBlock

    /// - Parameter rowLimit: the highest number of rows in a batch.
    package init(_ layer: AdaptedLayer, bias: FrozenTensor?, rowLimit: Int) {
        self.layer = layer
        self.bias = layer.full.map { FrozenTensor(shape: [layer.outputs], block: $0.bias.values) } ?? bias
        let count = rowLimit * (layer.lora?.rank ?? 0)
        hidden = FloatBlock(count: count)
        hiddenGradient = FloatBlock(count: count)
    }

    /// - Parameters:
    ///   - input: (rows × inputs), `output` (rows × outputs).
    ///   - row: the index in the batch of the first of these rows.
    ///   - appliesReLU: whether negative outputs become zero.
    package func forward(
        _ input: MatrixView, into output: MutableMatrixView, from row: Int = 0, appliesReLU: Bool = false
    ) {
        if let bias { RowArithmetic.fill(output, with: bias.floats) }
        MatrixProduct.accumulate(
            into: output, keep: bias == nil ? 0 : 1, input, .asGiven, layer.frozen.weight.matrix, .transposed)
        if let lora = layer.lora {
            let hidden = hidden.matrix(at: row * lora.rank, rows: input.rows, columns: lora.rank)
            MatrixProduct.accumulate(into: hidden, input, .asGiven, lora.a.matrix, .transposed)
            MatrixProduct.accumulate(
                into: output, keep: 1, scale: lora.scale, hidden.readOnly, .asGiven, lora.b.matrix, .asGiven)
        }
        if appliesReLU { ReLU.apply(to: output) }
    }

    /// Computes the gradients of the layer's trained tensors, for the input of the last `forward`.
    ///
    /// - Parameters:
    ///   - gradient: the output's gradient (rows × outputs).
    ///   - inputGradient: becomes dY·W + s·(dY·B)·A; nil where it is not needed.
    package func backward(
        _ input: MatrixView, gradient: MatrixView, into inputGradient: MutableMatrixView? = nil
    ) {
        propagate(gradient, into: inputGradient)
        for index in 0..<BatchParts.count { collect(input, gradient: gradient, part: index) }
    }

    /// Computes the gradient of x·Aᵀ, and that of the input where it is needed, for some rows of the output's gradient.
    ///
    /// - Parameter row: the index in the batch of the first of these rows.
    func propagate(_ gradient: MatrixView, into inputGradient: MutableMatrixView?, from row: Int = 0) {
        if let target = inputGradient {
            MatrixProduct.accumulate(into: target, gradient, .asGiven, layer.frozen.weight.matrix, .asGiven)
        }
        guard let lora = layer.lora else { return }
        let hidden = hiddenGradient.matrix(at: row * lora.rank, rows: gradient.rows, columns: lora.rank)
        MatrixProduct.accumulate(into: hidden, scale: lora.scale, gradient, .asGiven, lora.b.matrix, .transposed)
        if let target = inputGradient {
            MatrixProduct.accumulate(into: target, keep: 1, hidden.readOnly, .asGiven, lora.a.matrix, .asGiven)
        }
    }

    /// Computes one part of the gradients of the layer's trained tensors, after `propagate` for the whole batch.
    ///
    /// - Parameters:
    ///   - input: the batch (rows × inputs); `gradient` is the gradient of its output.
    ///   - index: the part: half of the components or of the layer's outputs.
    func collect(_ input: MatrixView, gradient: MatrixView, part index: Int) {
        let rows = 0..<input.rows
        if let lora = layer.lora {
            let part = BatchParts.part(index, of: lora.rank)
            if !part.isEmpty {
                let hidden = hidden.matrix(rows: input.rows, columns: lora.rank).readOnly
                let target = hiddenGradient.matrix(rows: input.rows, columns: lora.rank).readOnly
                MatrixProduct.accumulate(
                    into: lora.b.gradientMatrix.block(part, 0..<layer.outputs), scale: lora.scale,
                    hidden.block(rows, part), .transposed, gradient, .asGiven)
                MatrixProduct.accumulate(
                    into: lora.a.gradientMatrix.block(part, 0..<layer.inputs), target.block(rows, part), .transposed,
                    input, .asGiven)
            }
        }
        if let full = layer.full {
            let part = BatchParts.part(index, of: layer.outputs)
            if !part.isEmpty {
                MatrixProduct.accumulate(
                    into: full.weight.gradientMatrix.block(part, 0..<layer.inputs), gradient.block(rows, part),
                    .transposed, input, .asGiven)
            }
            if index == 0 { full.bias.fillGradient(withColumnSumsOf: gradient) }
        }
        if index == 0 { layer.sparse?.collect(gradient, input: input) }
    }
}
