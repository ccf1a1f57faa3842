import Foundation
import Testing

@testable import LinearAlgebra

/// The kernels of decoders beside plain `Double` references. Widths of 7, 8 and 19 have vectors and rests.
@Suite struct DecoderKernelTests {
    private static let rows = 3

    /// Random numbers within ±3.
    private static func block(_ columns: Int, _ stream: String) -> FloatBlock {
        var generator = SeededGenerator(seed: 2, stream: stream)
        let block = FloatBlock(count: rows * columns)
        for index in block.floats.indices { block.floats[index] = generator.uniform(within: 3) }
        return block
    }

    private static func doubles(_ block: FloatBlock, row: Int, _ columns: Int) -> [Double] {
        block.floats[row * columns..<(row + 1) * columns].map(Double.init)
    }

    private static func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }

    /// The slope of `value` along each number, by central differences.
    private static func slopes(_ numbers: [Double], _ value: ([Double]) -> Double) -> [Double] {
        numbers.indices.map { index in
            var (above, below) = (numbers, numbers)
            above[index] += 1e-5
            below[index] -= 1e-5
            return (value(above) - value(below)) / 2e-5
        }
    }

    private static func expect(_ found: [Double], _ wanted: [Double], within tolerance: Double) {
        #expect(found.count == wanted.count)
        for (one, other) in zip(found, wanted) { #expect(abs(one - other) < tolerance) }
    }

    @Test(arguments: [7, 8, 19], [false, true])
    func `a row's norm and its gradient are those of the formula`(_ columns: Int, _ isCentred: Bool) {
        let (input, gain, shift) = (Self.block(columns, "x"), Self.block(columns, "gain"), Self.block(columns, "shift"))
        let (output, gradient, sum) = (
            FloatBlock(count: Self.rows * columns), Self.block(columns, "dy"), Self.block(columns, "sum")
        )
        let gains = UnsafeBufferPointer(rebasing: gain.floats[..<columns])
        let shifts = UnsafeBufferPointer(rebasing: shift.floats[..<columns])
        let (dy, before) = (Array(gradient.floats), Array(sum.floats))
        let x = input.matrix(rows: Self.rows, columns: columns).readOnly
        RowNorm.apply(
            x, isCentred: isCentred, gain: gains, shift: isCentred ? shifts : nil, epsilon: 1e-3,
            into: output.matrix(rows: Self.rows, columns: columns))
        RowNorm.propagate(
            gradient.matrix(rows: Self.rows, columns: columns), input: x, isCentred: isCentred, gain: gains,
            epsilon: 1e-3, addingTo: sum.matrix(rows: Self.rows, columns: columns))
        func normalised(_ row: [Double]) -> [Double] {
            let mean = isCentred ? row.reduce(0, +) / Double(columns) : 0
            let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(columns)
            return row.indices.map {
                (row[$0] - mean) / (variance + 1e-3).squareRoot() * Double(gains[$0])
                    + (isCentred ? Double(shifts[$0]) : 0)
            }
        }
        for row in 0..<Self.rows {
            let numbers = Self.doubles(input, row: row, columns)
            Self.expect(Self.doubles(output, row: row, columns), normalised(numbers), within: 1e-5)
            let wanted = Self.slopes(numbers) { moved in
                zip(normalised(moved), dy[row * columns..<(row + 1) * columns]).reduce(0) { $0 + $1.0 * Double($1.1) }
            }
            let added = (0..<columns).map { Double(sum.floats[row * columns + $0] - before[row * columns + $0]) }
            Self.expect(added, wanted, within: 1e-4)
        }
    }

    @Test(arguments: [7, 8, 19]) func `the gated unit and its gradient are those of the formula`(_ columns: Int) {
        let (gates, gradient) = (Self.block(2 * columns, "gates"), Self.block(columns, "dy"))
        let output = FloatBlock(count: Self.rows * columns)
        let view = gates.matrix(rows: Self.rows, columns: 2 * columns)
        let inputs = (0..<Self.rows).map { Self.doubles(gates, row: $0, 2 * columns) }
        SwiGLU.apply(view.readOnly, into: output.matrix(rows: Self.rows, columns: columns))
        SwiGLU.propagate(gradient.matrix(rows: Self.rows, columns: columns).readOnly, replacing: view)
        func value(_ row: [Double]) -> [Double] {
            (0..<columns).map { row[$0] * Self.sigmoid(row[$0]) * row[columns + $0] }
        }
        for (row, numbers) in inputs.enumerated() {
            Self.expect(Self.doubles(output, row: row, columns), value(numbers), within: 1e-5)
            let dy = Self.doubles(gradient, row: row, columns)
            Self.expect(
                Self.doubles(gates, row: row, 2 * columns),
                Self.slopes(numbers) { zip(value($0), dy).reduce(0) { $0 + $1.0 * $1.1 } }, within: 1e-4)
        }
    }

    @Test(arguments: [7, 8, 19]) func `GPT-2's GELU and its gradient are those of the formula`(_ columns: Int) {
        let (input, gradient) = (Self.block(columns, "x"), Self.block(columns, "dy"))
        let output = FloatBlock(count: Self.rows * columns)
        let view = input.matrix(rows: Self.rows, columns: columns)
        let inputs = (0..<Self.rows).map { Self.doubles(input, row: $0, columns) }
        TanhGELU.apply(view.readOnly, into: output.matrix(rows: Self.rows, columns: columns))
        TanhGELU.propagate(gradient.matrix(rows: Self.rows, columns: columns).readOnly, replacing: view)
        func value(_ x: Double) -> Double {
            x / 2 * (1 + tanh((2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
        }
        for (row, numbers) in inputs.enumerated() {
            Self.expect(Self.doubles(output, row: row, columns), numbers.map(value), within: 1e-5)
            let dy = Self.doubles(gradient, row: row, columns)
            Self.expect(
                Self.doubles(input, row: row, columns),
                Self.slopes(numbers) { zip($0.map(value), dy).reduce(0) { $0 + $1.0 * $1.1 } }, within: 1e-4)
        }
    }

    @Test func `a head turns by its position's angles, and back`() {
        let table = RotaryTable(frequencies: [1, 0.25, 0.01], factor: 1, positions: 40)
        let heads = Self.block(12, "heads")
        let before = Array(heads.floats[..<12])
        guard let base = heads.floats.baseAddress else { return }
        table.rotate(base, heads: 2, position: 37)
        for head in 0..<2 {
            for (pair, frequency) in [1, 0.25, 0.01].enumerated() {
                let (x, y) = (Double(before[6 * head + pair]), Double(before[6 * head + 3 + pair]))
                let angle = 37 * frequency
                #expect(abs(Double(heads.floats[6 * head + pair]) - (x * cos(angle) - y * sin(angle))) < 1e-5)
                #expect(abs(Double(heads.floats[6 * head + 3 + pair]) - (y * cos(angle) + x * sin(angle))) < 1e-5)
            }
        }
        table.rotate(base, heads: 2, position: 37, isInverse: true)
        for (number, former) in zip(heads.floats, before) { #expect(abs(number - former) < 1e-5) }
    }

    @Test(arguments: [1, 9]) func `a causal softmax has zeros after its row's last column`(_ first: Int) {
        let columns = 19
        let scores = Self.block(columns, "scores")
        let before = (0..<Self.rows).map { Self.doubles(scores, row: $0, columns) }
        Softmax.applyCausally(to: scores.matrix(rows: Self.rows, columns: columns), first: first)
        for (row, numbers) in before.enumerated() {
            let powers = numbers.prefix(first + row).map { exp($0) }
            let wanted = powers.map { $0 / powers.reduce(0, +) }
            let found = Self.doubles(scores, row: row, columns)
            Self.expect(Array(found.prefix(first + row)), wanted, within: 1e-6)
            #expect(found.dropFirst(first + row).allSatisfy { $0 == 0 })
        }
    }

    @Test(arguments: [7, 8, 1_043]) func `cross-entropy and its gradient are those of the formula`(_ count: Int) {
        let scores = Self.block(count, "scores")
        guard let base = scores.floats.baseAddress else { return }
        let numbers = Self.doubles(scores, row: 0, count)
        let best = numbers.indices.max { numbers[$0] < numbers[$1] } ?? 0
        let total = numbers.reduce(0) { $0 + exp($1) }
        for target in [0, count - 1, best] {
            _ = scores.floats.update(from: numbers.map { Float($0) })
            let plain = Softmax.crossEntropy(base, count: count, target: target, gradientWeight: nil)
            #expect(scores.floats[0] == Float(numbers[0]), "scoring changes nothing")
            let result = Softmax.crossEntropy(base, count: count, target: target, gradientWeight: 0.25)
            #expect(abs(Double(result.loss) - (log(total) - numbers[target])) < 1e-5)
            #expect(plain.loss == result.loss)
            #expect(result.isHighest == (target == best))
            let wanted = numbers.indices.map { 0.25 * (exp(numbers[$0]) / total - ($0 == target ? 1 : 0)) }
            Self.expect(Self.doubles(scores, row: 0, count), wanted, within: 1e-6)
        }
    }
}
