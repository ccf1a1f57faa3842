import Glibc
import LinearAlgebra
import Testing

@testable import Training

/// The encoder's kernels against the C library in double precision.
@Suite struct BertKernelTests {
    private static func grid(_ range: ClosedRange<Float>, count: Int) -> [Float] {
        (0..<count).map { range.lowerBound + (range.upperBound - range.lowerBound) * Float($0) / Float(count - 1) }
    }

    @Test func `exp agrees with the C library to 2e-7`() {
        for x in Self.grid(-87...87, count: 4001) {
            let found = VectorMath.exp(.init(repeating: x))[3]
            #expect(abs(Double(found) / exp(Double(x)) - 1) < 2e-7, "at \(x)")
        }
        #expect(VectorMath.exp(.init(repeating: -1e30))[0] < 2e-38)
        #expect(VectorMath.exp(.init(repeating: 0))[7] == 1)
    }

    @Test func `gelu and its derivative agree with the C library to 3e-7`() {
        for x in Self.grid(-12...12, count: 4001) {
            let found = VectorMath.gelu(.init(repeating: x))
            let share = 0.5 * erfc(-Double(x) / 2.0.squareRoot())
            let slope = share + Double(x) * exp(-Double(x * x) / 2) / (2 * Double.pi).squareRoot()
            #expect(abs(Double(found.value[5]) - Double(x) * share) < 3e-7 * max(1, Double(x)), "at \(x)")
            #expect(abs(Double(found.slope[5]) - slope) < 3e-7, "at \(x)")
        }
    }

    @Test(arguments: [1, 7, 8, 9, 23])
    func `softmax agrees with the C library at any width`(width: Int) {
        var generator = SeededGenerator(seed: 3, stream: "softmax")
        let block = FloatBlock(count: 3 * (width + 2))
        for index in block.floats.indices { block.floats[index] = generator.uniform(within: 30) }
        let before = Array(block.floats)
        withExtendedLifetime(block) {
            RowKernels.softmax(MutableMatrixView(block.floats, rows: 3, columns: width, stride: width + 2))
        }
        for row in 0..<3 {
            let scores = before[(row * (width + 2))...].prefix(width).map(Double.init)
            let top = scores.max() ?? 0
            let total = scores.reduce(0) { $0 + exp($1 - top) }
            for (column, score) in scores.enumerated() {
                #expect(abs(Double(block.floats[row * (width + 2) + column]) - exp(score - top) / total) < 3e-7)
            }
            // What lies between the rows is not touched.
            #expect(block.floats[row * (width + 2) + width] == before[row * (width + 2) + width])
        }
    }

    @Test(arguments: [5, 8, 27])
    func `normalisation is the formula's, and its gradient that of finite differences`(width: Int) {
        var generator = SeededGenerator(seed: 4, stream: "norm")
        func draw(_ count: Int) -> [Float] { (0..<count).map { _ in generator.uniform(within: 2) } }
        let norm = LayerNorm(
            gain: FrozenTensor(shape: [width], draw(width)), shift: FrozenTensor(shape: [width], draw(width)),
            epsilon: 1e-5)
        let (input, weights) = (draw(width), draw(width))
        func reference(_ x: [Double]) -> [Double] {
            let mean = x.reduce(0, +) / Double(width)
            let variance = x.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(width)
            return x.indices.map {
                (x[$0] - mean) / (variance + 1e-5).squareRoot() * Double(norm.gain.values[$0])
                    + Double(norm.shift.values[$0])
            }
        }
        let (source, target) = (FloatBlock(count: width), FloatBlock(count: width))
        _ = source.floats.update(from: input)
        let trace = LayerNorm.Trace(rows: 1, width: width)
        withExtendedLifetime((source, target)) {
            norm.forward(
                source.matrix(rows: 1, columns: width).readOnly, into: target.matrix(rows: 1, columns: width),
                trace: trace)
            let exact = input.map(Double.init)
            for (found, wanted) in zip(target.floats, reference(exact)) { #expect(abs(Double(found) - wanted) < 2e-6) }
            _ = target.floats.update(from: weights)
            norm.backward(target.matrix(rows: 1, columns: width), trace: trace)
            for column in 0..<width {
                func loss(_ shift: Double) -> Double {
                    var x = exact
                    x[column] += shift
                    return zip(reference(x), weights).reduce(0) { $0 + $1.0 * Double($1.1) }
                }
                let slope = (loss(1e-5) - loss(-1e-5)) / 2e-5
                #expect(abs(Double(target.floats[column]) - slope) < 2e-5 * max(1, abs(slope)))
            }
        }
    }
}
