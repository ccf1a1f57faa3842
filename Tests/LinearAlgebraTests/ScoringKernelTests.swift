import Foundation
import LinearAlgebra
import Testing

/// The kernels that scoring takes row by row, on every width of vectors that this processor has.
@Suite struct ScoringKernelTests {
    /// Rows of `columns` numbers, three floats apart.
    private struct Rows {
        let block: FloatBlock
        let values: MutableMatrixView

        init(_ rows: Int, _ columns: Int, within bound: Float, gap: Int = 3) {
            var generator = SeededGenerator(seed: UInt64(columns), stream: "rows")
            block = FloatBlock(count: rows * (columns + gap))
            for index in block.floats.indices { block.floats[index] = generator.uniform(within: bound) }
            values = MutableMatrixView(block.floats, rows: rows, columns: columns, stride: columns + gap)
        }

        func forEach(_ body: (Int, [Double]) -> Void) {
            for row in 0..<values.rows {
                body(row, (0..<values.columns).map { Double(values[row, $0]) })
            }
        }
    }

    private static let columns = [1, 3, 4, 8, 15, 16, 17, 33, 96]

    @Test(arguments: columns, KernelWidth.available)
    func `a softmax is that of the plain sums, also far out`(columns: Int, width: KernelWidth) {
        // A scale that is no power of two: what is scaled is rounded.
        let scale = Float(0.17)
        for bound in [Float(1), 60, 3e4, 1e12, 1e30] {
            let (given, found) = (Rows(5, columns, within: bound), Rows(5, columns, within: bound))
            Softmax.applyWidest(to: found.values, scale: scale, width: width)
            given.forEach { row, values in
                let top = values.max() ?? 0
                let powers = values.map { exp(Double(scale) * ($0 - top)) }
                let sum = powers.reduce(0, +)
                for (column, power) in powers.enumerated() {
                    #expect(abs(Double(found.values[row, column]) - power / sum) < 1e-6)
                }
            }
        }
    }

    @Test(arguments: columns, KernelWidth.available)
    func `gelu is x times the normal distribution`(columns: Int, width: KernelWidth) {
        let bias = (0..<columns).map { Float($0 % 7) - 3 }
        for bound in [Float(4), 40, 1e30] {
            let (given, found) = (Rows(5, columns, within: bound), Rows(5, columns, within: bound))
            bias.withUnsafeBufferPointer { GELU.applyWidest(to: found.values, bias: $0, width: width) }
            given.forEach { row, values in
                for (column, value) in values.enumerated() {
                    let x = Double(Float(value) + bias[column])
                    let expected = x * 0.5 * erfc(-x / 2.0.squareRoot())
                    #expect(abs(Double(found.values[row, column]) - expected) < 1e-6 * max(1, abs(x)))
                }
            }
        }
    }

    @Test(arguments: columns.dropFirst(), KernelWidth.available)
    func `normalised rows have the mean and spread that gain and shift say`(columns: Int, width: KernelWidth) {
        let (given, found) = (Rows(5, columns, within: 3, gap: 0), Rows(5, columns, within: 3, gap: 0))
        let residual = Rows(5, columns, within: 2, gap: 0)
        let bias = (0..<columns).map { Float($0 % 5) * 0.25 }
        let gain = (0..<columns).map { 1 + Float($0 % 3) }
        let shift = (0..<columns).map { Float($0 % 4) - 1 }
        bias.withUnsafeBufferPointer { bias in
            gain.withUnsafeBufferPointer { gain in
                shift.withUnsafeBufferPointer { shift in
                    RowNormalisation.applyWidest(
                        to:
                            found.values, bias: bias, residual: residual.values.readOnly, gain: gain, shift: shift,
                        epsilon: 1e-3, width: width)
                }
            }
        }
        given.forEach { row, values in
            let sums = values.enumerated().map { $1 + Double(bias[$0]) + Double(residual.values[row, $0]) }
            let mean = sums.reduce(0, +) / Double(columns)
            let variance = sums.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(columns)
            for (column, sum) in sums.enumerated() {
                let expected = (sum - mean) / (variance + 1e-3).squareRoot() * Double(gain[column])
                #expect(abs(Double(found.values[row, column]) - expected - Double(shift[column])) < 2e-5)
            }
        }
    }
}
