import CVectors

/// A weight with its bias, packed once for many products with few rows each. OpenBLAS would pack it at each call.
///
/// It is `@unchecked Sendable` because its blocks are written before they are shared, and never again.
package struct PackedWeight: @unchecked Sendable {
    /// The memory layout of a weight.
    package enum Layout: Sendable {
        /// Unchanged (outputs × inputs), for OpenBLAS.
        case plain
        /// In panels of 64 outputs (panels × inputs × 64), for AVX-512.
        case panels
        /// In the panels of its quarters and of their sums, for even dimensions: there is an eighth less to multiply.
        case quarters
    }

    /// The memory that a thread's products take.
    package struct Scratch {
        fileprivate let block: FloatBlock

        /// For weights with at most `inputs` inputs.
        package init(inputs: Int) { block = FloatBlock(count: PackedWeight.tile * inputs) }
    }

    /// Rows that are multiplied at a time, so that their data stay in the second-level cache.
    package static let tile = Int(panels_quartered_rows)

    package let inputs: Int
    package let outputs: Int
    private let layout: Layout
    private let numbers: FloatBlock
    /// (outputs)
    private let bias: FloatBlock

    private static let panel = Int(panels_width)

    /// - Parameters:
    ///   - weights: (outputs × inputs) each; their outputs are concatenated.
    ///   - biases: (outputs) each.
    ///   - keepsRowsApart: whether no row's numbers may enter another row's sums; in quarters they do, and cancel up to rounding.
    ///   - layout: nil for the fastest here; others than `plain` only where `SmallMatrixProduct.isAvailable`, `quarters` only with
    ///     even dimensions.
    /// - Precondition: there is at least one weight, all have as many inputs, and each has a bias.
    package init(
        _ weights: [MatrixView], biases: [UnsafeBufferPointer<Float>], keepsRowsApart: Bool = false,
        layout: Layout? = nil
    ) {
        let (inputs, outputs) = (weights[0].columns, weights.reduce(0) { $0 + $1.rows })
        precondition(
            weights.allSatisfy { $0.columns == inputs } && weights.map(\.rows) == biases.map(\.count),
            "\(biases.map(\.count)) biases for \(weights.map(\.rows)) outputs")
        self.inputs = inputs
        self.outputs = outputs
        self.layout = layout ?? Self.layout(inputs, outputs, keepsRowsApart)
        precondition(
            self.layout != .quarters || (inputs % 2 == 0 && outputs % 2 == 0), "quarters of \(outputs)×\(inputs)")
        let whole = FloatBlock(count: outputs * inputs)
        bias = FloatBlock(count: outputs)
        var output = 0
        for (weight, bias) in zip(weights, biases) {
            for row in 0..<weight.rows {
                self.bias.floats[output] = bias[row]
                whole.matrix(at: output * inputs, rows: 1, columns: inputs).base.update(
                    from: weight.base + row * weight.stride, count: inputs)
                output += 1
            }
        }
        numbers = withExtendedLifetime(whole) { [layout = self.layout] in
            let matrix = whole.matrix(rows: outputs, columns: inputs).readOnly
            switch layout {
            case .plain: return whole
            case .panels:
                let block = FloatBlock(count: (outputs + Self.panel - 1) / Self.panel * Self.panel * inputs)
                for first in stride(from: 0, to: outputs, by: Self.panel) {
                    Self.pack(
                        matrix.block(first..<min(first + Self.panel, outputs), 0..<inputs), into: block,
                        at: first * inputs)
                }
                return block
            case .quarters: return Self.quarters(of: matrix)
            }
        }
    }

    private static func layout(_ inputs: Int, _ outputs: Int, _ keepsRowsApart: Bool) -> Layout {
        guard SmallMatrixProduct.isAvailable else { return .plain }
        // For smaller weights the sums take as long as the product that they save.
        let isLarge = min(inputs, outputs) >= 256
        return isLarge && !keepsRowsApart && inputs % 2 == 0 && outputs % 2 == 0 ? .quarters : .panels
    }

    /// Writes a panel: up to 64 outputs, input by input.
    private static func pack(_ part: MatrixView, into block: FloatBlock, at place: Int) {
        SmallMatrixProduct.transpose(
            part,
            into: MutableMatrixView(
                UnsafeMutableBufferPointer(rebasing: block.floats[place...]), rows: part.columns, columns: part.rows,
                stride: panel))
    }

    /// The panels that `panels_multiply_quarters` reads, in its order.
    private static func quarters(of weight: MatrixView) -> FloatBlock {
        let (width, depth) = (weight.rows / 2, weight.columns / 2)
        let block = FloatBlock(count: (width + panel - 1) / panel * panel * panels_quarters * depth)
        // (outputs × inputs / 2) each, in the order of the panels: v₁₁ v₂₁ t₂ t₁ t₃ v₂₂ t₄.
        let parts = (0..<panels_quarters).map { _ in FloatBlock(count: panel * depth) }
        let floats = parts.map(\.floats)
        for first in stride(from: 0, to: width, by: panel) {
            let rows = min(panel, width - first)
            for row in 0..<rows {
                let left = weight.base + (first + row) * weight.stride
                let right = left + width * weight.stride
                for column in 0..<depth {
                    let (v11, v21) = (left[column], left[depth + column])
                    let (v12, v22) = (right[column], right[depth + column])
                    let (place, t1) = (row * depth + column, v12 - v11)
                    let t2 = v22 - t1
                    floats[panels_v11][place] = v11
                    floats[panels_v21][place] = v21
                    floats[panels_t2][place] = t2
                    floats[panels_t1][place] = t1
                    floats[panels_t3][place] = v22 - v12
                    floats[panels_v22][place] = v22
                    floats[panels_t4][place] = v21 - t2
                }
            }
            for (number, part) in parts.enumerated() {
                pack(
                    part.matrix(rows: rows, columns: depth).readOnly, into: block,
                    at: (first * parts.count + number * panel) * depth)
            }
        }
        return block
    }

    /// output ← input·weightᵀ + bias; output ← input·weightᵀ where `isBiased` is false.
    ///
    /// Shapes: input is (rows × inputs), output (rows × outputs); each may be a block of a larger matrix. O(rows·inputs·outputs).
    /// - Precondition: the shapes agree, the matrices share no memory, and the scratch is for such a weight.
    package func multiply(_ input: MatrixView, into output: MutableMatrixView, isBiased: Bool = true, scratch: Scratch)
    {
        precondition(
            input.columns == inputs && output.columns == outputs && input.rows == output.rows,
            "\(output.rows)×\(output.columns) cannot hold \(input.rows)×\(input.columns) through \(inputs)→\(outputs)")
        let start = isBiased ? bias.floats.baseAddress : nil
        switch layout {
        case .plain:
            if let start {
                for row in 0..<output.rows { (output.base + row * output.stride).update(from: start, count: outputs) }
            }
            MatrixProduct.accumulate(
                into: output, keep: isBiased ? 1 : 0, input, .asGiven,
                numbers.matrix(rows: outputs, columns: inputs).readOnly, .transposed)
        case .panels:
            panels_multiply(
                input.base, input.rows, inputs, input.stride, numbers.floats.baseAddress, start, output.base, outputs,
                output.stride)
        case .quarters:
            precondition(scratch.block.floats.count >= Self.tile * inputs, "scratch for fewer than \(inputs) inputs")
            for first in stride(from: 0, to: input.rows, by: Self.tile) {
                panels_multiply_quarters(
                    input.base + first * input.stride, min(Self.tile, input.rows - first), inputs, input.stride,
                    numbers.floats.baseAddress, start, output.base + first * output.stride, outputs, output.stride,
                    scratch.block.floats.baseAddress)
            }
        }
    }
}
