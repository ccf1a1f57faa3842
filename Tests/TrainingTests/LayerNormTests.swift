import LinearAlgebra
import Testing

@testable import Training

/// Layer normalisation against the formula in double precision.
@Suite struct LayerNormTests {
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
