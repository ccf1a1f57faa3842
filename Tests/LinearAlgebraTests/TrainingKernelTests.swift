import Glibc
import Testing

@testable import LinearAlgebra

/// The kernels that training takes, against the C library in double precision.
@Suite struct TrainingKernelTests {
    private static func grid(_ range: ClosedRange<Float>, count: Int) -> [Float] {
        (0..<count).map { range.lowerBound + (range.upperBound - range.lowerBound) * Float($0) / Float(count - 1) }
    }

    @Test func `exp agrees with the C library to 2e-7`() {
        for x in Self.grid(-87...87, count: 4001) {
            let found = FloatVector.exp(.init(repeating: x))[3]
            #expect(abs(Double(found) / exp(Double(x)) - 1) < 2e-7, "at \(x)")
        }
        #expect(FloatVector.exp(.init(repeating: -1e30))[0] < 2e-38)
        #expect(FloatVector.exp(.init(repeating: 0))[7] == 1)
    }

    @Test func `gelu and its derivative agree with the C library to 3e-7`() {
        for x in Self.grid(-12...12, count: 4001) {
            let found = GELU.value(.init(repeating: x))
            let phi = 0.5 * erfc(-Double(x) / 2.0.squareRoot())
            let derivative = phi + Double(x) * exp(-Double(x * x) / 2) / (2 * Double.pi).squareRoot()
            #expect(abs(Double(found.value[5]) - Double(x) * phi) < 3e-7 * max(1, Double(x)), "at \(x)")
            #expect(abs(Double(found.derivative[5]) - derivative) < 3e-7, "at \(x)")
        }
    }

    @Test(arguments: [1, 7, 8, 9, 23])
    func `softmax agrees with the C library at any width`(width: Int) {
        var generator = SeededGenerator(seed: 3, stream: "softmax")
        let block = FloatBlock(count: 3 * (width + 2))
        for index in block.floats.indices { block.floats[index] = generator.uniform(within: 30) }
        let before = Array(block.floats)
        withExtendedLifetime(block) {
            Softmax.apply(to: MutableMatrixView(block.floats, rows: 3, columns: width, stride: width + 2))
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
}
