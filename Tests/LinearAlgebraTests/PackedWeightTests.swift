import LinearAlgebra
import Testing

/// Weights that are laid out once, on the vectors of this processor and on OpenBLAS.
@Suite struct PackedWeightTests {
    private static func drawn(_ count: Int, _ name: String) -> FloatBlock {
        var generator = SeededGenerator(seed: 7, stream: name)
        let block = FloatBlock(count: count)
        for index in 0..<count { block.floats[index] = generator.uniform(within: 1) }
        return block
    }

    // Panels have 64 outputs and go by 512 inputs at a time; tiles have six rows, and quarters go by 96.
    @Test(
        arguments: [
            (1, 1, 1), (6, 64, 512), (13, 129, 513), (5, 63, 40), (4, 200, 1100), (101, 6, 10), (1, 300, 258),
        ], SmallMatrixProduct.isAvailable ? [PackedWeight.Layout.plain, .panels, .quarters, nil] : [.plain, nil])
    func `a product is that of the plain sums`(
        shape: (rows: Int, outputs: Int, inputs: Int), layout: PackedWeight.Layout?
    ) {
        let (rows, outputs, inputs) = shape
        guard layout != .quarters || (outputs % 2 == 0 && inputs % 2 == 0) else { return }
        let input = Self.drawn(rows * (inputs + 3), "input")
        let weight = Self.drawn(outputs * inputs, "weight")
        let bias = Self.drawn(outputs, "bias")
        let output = Self.drawn(rows * (outputs + 5), "output")
        let cut = outputs / 3
        func part(_ range: Range<Int>) -> MatrixView {
            MatrixView(
                UnsafeBufferPointer(rebasing: weight.floats[(range.lowerBound * inputs)...]), rows: range.count,
                columns: inputs)
        }
        let parts = [0..<cut, cut..<outputs].filter { !$0.isEmpty }
        let packed = PackedWeight(
            parts.map(part), biases: parts.map { UnsafeBufferPointer(rebasing: bias.floats[$0]) },
            layout: layout)
        let scratch = PackedWeight.Scratch(inputs: inputs)
        let view = MatrixView(UnsafeBufferPointer(input.floats), rows: rows, columns: inputs, stride: inputs + 3)
        let target = MutableMatrixView(output.floats, rows: rows, columns: outputs, stride: outputs + 5)
        for isBiased in [true, false] {
            packed.multiply(view, into: target, isBiased: isBiased, scratch: scratch)
            for row in 0..<rows {
                for column in 0..<outputs {
                    var sum = isBiased ? Double(bias.floats[column]) : 0
                    for place in 0..<inputs {
                        sum += Double(view[row, place]) * Double(weight.floats[column * inputs + place])
                    }
                    #expect(abs(Double(target[row, column]) - sum) < 2e-5 * max(1, Double(inputs).squareRoot()))
                }
            }
        }
        let untouched = Self.drawn(rows * (outputs + 5), "output")
        for row in 0..<rows {
            let gap = row * (outputs + 5) + outputs..<(row + 1) * (outputs + 5)
            #expect(Array(output.floats[gap]) == Array(untouched.floats[gap]))
        }
    }
}
