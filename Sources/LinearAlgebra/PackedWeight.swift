import CVectors

/// A weight with its bias, laid out once for many products with few rows each.
///
/// With AVX-512 the weight lies in panels of 64 outputs, and a product reads it as it is, where OpenBLAS would copy it
/// at each call. Elsewhere OpenBLAS does the work.
///
/// It is `@unchecked Sendable` because its blocks are written before anybody else sees them, and never again.
package struct PackedWeight: @unchecked Sendable {
    package let inputs: Int
    package let outputs: Int
    private let isPanelled: Bool
    /// (panels × inputs × 64), zeros where there is no output; or (outputs × inputs).
    private let numbers: FloatBlock
    /// (outputs), and zeros up to the panels' end.
    private let bias: FloatBlock

    private static let panel = Int(panels_width)

    /// - Parameters:
    ///   - weights: (outputs × inputs) each; their outputs come one behind the other.
    ///   - biases: (outputs) each.
    ///   - isPanelled: only where `canBePanelled`.
    /// - Precondition: there is at least one weight, all have as many inputs, and each has a bias.
    package init(
        _ weights: [MatrixView], biases: [UnsafeBufferPointer<Float>], isPanelled: Bool = Self.canBePanelled
    ) {
        let (inputs, outputs) = (weights[0].columns, weights.reduce(0) { $0 + $1.rows })
        precondition(
            weights.allSatisfy { $0.columns == inputs } && weights.map(\.rows) == biases.map(\.count),
            "\(biases.map(\.count)) biases for \(weights.map(\.rows)) outputs")
        self.inputs = inputs
        self.outputs = outputs
        self.isPanelled = isPanelled
        let width = isPanelled ? (outputs + Self.panel - 1) / Self.panel * Self.panel : outputs
        numbers = FloatBlock(count: width * inputs)
        bias = FloatBlock(count: width)
        var output = 0
        for (weight, bias) in zip(weights, biases) {
            for row in 0..<weight.rows {
                self.bias.floats[output] = bias[row]
                let source = weight.base + row * weight.stride
                let (first, step) =
                    isPanelled
                    ? (output / Self.panel * Self.panel * inputs + output % Self.panel, Self.panel)
                    : (output * inputs, 1)
                for input in 0..<inputs { numbers.floats[first + input * step] = source[input] }
                output += 1
            }
        }
    }

    /// Whether this processor has the vectors that panels are for.
    package static let canBePanelled = panels_are_available()

    /// output ← input·weightᵀ + bias; output ← input·weightᵀ where `isBiased` is false.
    ///
    /// Shapes: input is (rows × inputs), output (rows × outputs); each may be a block of a larger matrix. O(rows·inputs·outputs).
    /// - Precondition: the shapes agree, and the matrices share no memory.
    package func multiply(_ input: MatrixView, into output: MutableMatrixView, isBiased: Bool = true) {
        precondition(
            input.columns == inputs && output.columns == outputs && input.rows == output.rows,
            "\(output.rows)×\(output.columns) cannot hold \(input.rows)×\(input.columns) through \(inputs)→\(outputs)")
        guard !isPanelled else {
            panels_multiply(
                input.base, input.rows, inputs, input.stride, numbers.floats.baseAddress,
                isBiased ? bias.floats.baseAddress : nil, output.base, outputs, output.stride)
            return
        }
        if isBiased, let source = bias.floats.baseAddress {
            for row in 0..<output.rows {
                (output.base + row * output.stride).update(from: source, count: outputs)
            }
        }
        MatrixProduct.accumulate(
            into: output, keep: isBiased ? 1 : 0, input, .asGiven,
            numbers.matrix(rows: outputs, columns: inputs).readOnly, .transposed)
    }
}
