package import LinearAlgebra

/// One linear layer under many adapters at once. One matrix holds the rows of all adapters, adapter after adapter.
package final class StackedLinear {
    /// The same layer under each adapter.
    private let layers: [AdaptedLayer]
    private let bias: FrozenTensor?
    /// (all ranks × inputs): the A of all adapters, one after the other, each multiplied by its scale.
    private let factors: FloatBlock
    private let ranks: [Int]
    private let hidden: FloatBlock

    /// - Parameters:
    ///   - layers: one for each adapter; their frozen weights are the same.
    ///   - rowLimit: the highest number of rows of one adapter.
    /// - Precondition: there is at least one adapter.
    package init(_ layers: [AdaptedLayer], bias: FrozenTensor?, rowLimit: Int) {
        self.layers = layers
        self.bias = bias
        ranks = layers.map { $0.lora?.rank ?? 0 }
        let (total, inputs) = (ranks.reduce(0, +), layers[0].inputs)
        factors = FloatBlock(count: total * inputs)
        hidden = FloatBlock(count: total * rowLimit)
        var first = 0
        for case let lora? in layers.map(\.lora) {
            for (index, value) in lora.a.values.floats.enumerated() {
                factors.floats[first + index] = lora.scale * value
            }
            first += lora.rank * inputs
        }
    }

    /// Applies the layer to one input for all adapters.
    ///
    /// - Parameters:
    ///   - shared: (rows × inputs).
    ///   - output: (adapters·rows × outputs).
    package func forward(shared: MatrixView, into output: MutableMatrixView, appliesReLU: Bool) {
        let rows = shared.rows
        fill(output.prefix(rows: rows))
        MatrixProduct.accumulate(
            into: output.prefix(rows: rows), keep: 1, shared, .asGiven, layers[0].frozen.weight.matrix, .transposed)
        for adapter in 1..<max(1, layers.count) {
            (output.base + adapter * rows * output.stride).update(from: output.base, count: rows * output.stride)
        }
        let total = ranks.reduce(0, +)
        if total > 0 {
            let all = hidden.matrix(rows: rows, columns: total)
            MatrixProduct.accumulate(
                into: all, shared, .asGiven, factors.matrix(rows: total, columns: layers[0].inputs).readOnly,
                .transposed)
            var first = 0
            for (adapter, layer) in layers.enumerated() {
                guard let lora = layer.lora else { continue }
                let part = MatrixView(
                    UnsafeBufferPointer(rebasing: hidden.floats[first..<(rows - 1) * total + first + lora.rank]),
                    rows: rows, columns: lora.rank, stride: total)
                MatrixProduct.accumulate(
                    into: block(adapter, of: output, rows: rows), keep: 1, part, .asGiven, lora.b.matrix, .asGiven)
                first += lora.rank
            }
        }
        if appliesReLU { ReLU.apply(to: output) }
    }

    /// Applies the layer to an input for each adapter.
    ///
    /// - Parameters:
    ///   - input: (adapters·rows × inputs).
    ///   - output: (adapters·rows × outputs).
    package func forward(_ input: MatrixView, rows: Int, into output: MutableMatrixView, appliesReLU: Bool) {
        fill(output)
        MatrixProduct.accumulate(
            into: output, keep: 1, input, .asGiven, layers[0].frozen.weight.matrix, .transposed)
        var first = 0
        for (adapter, layer) in layers.enumerated() {
            guard let lora = layer.lora else { continue }
            let part = hidden.matrix(rows: rows, columns: lora.rank)
            let own = MatrixView(
                UnsafeBufferPointer(
                    start: input.base + adapter * rows * input.stride, count: (rows - 1) * input.stride + input.columns),
                rows: rows, columns: input.columns, stride: input.stride)
            MatrixProduct.accumulate(
                into: part, own, .asGiven,
                factors.matrix(at: first, rows: lora.rank, columns: input.columns).readOnly, .transposed)
            MatrixProduct.accumulate(
                into: block(adapter, of: output, rows: rows), keep: 1, part.readOnly, .asGiven, lora.b.matrix, .asGiven)
            first += lora.rank * input.columns
        }
        if appliesReLU { ReLU.apply(to: output) }
    }

    private func fill(_ output: MutableMatrixView) {
        let numbers = bias?.floats.baseAddress
        for row in 0..<output.rows {
            let target = output.base + row * output.stride
            if let numbers {
                target.update(from: numbers, count: output.columns)
            } else {
                target.update(repeating: 0, count: output.columns)
            }
        }
    }

    private func block(_ adapter: Int, of output: MutableMatrixView, rows: Int) -> MutableMatrixView {
        MutableMatrixView(
            UnsafeMutableBufferPointer(
                start: output.base + adapter * rows * output.stride,
                count: (rows - 1) * output.stride + output.columns),
            rows: rows, columns: output.columns, stride: output.stride)
    }
}
