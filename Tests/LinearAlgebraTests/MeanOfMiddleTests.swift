import LinearAlgebra
import Testing

/// Kernels of robust rules against plain computations in Double.
struct MeanOfMiddleTests {
    private func numbers(_ count: Int, _ stream: String) -> [Float] {
        var generator = SeededGenerator(seed: 4, stream: stream)
        // Few values, so that many are equal.
        return (0..<count).map { _ in Float(Int(generator.normal() * 4)) / 4 }
    }

    @Test(arguments: [1, 2, 3, 5, 8, 13, 32, 33, 100], [1, 31, 32, 70])
    func `the mean of the middle is that of sorted values, with vectors of every width`(count: Int, columns: Int) {
        let values = numbers(count * columns, "middle \(count)")
        for middle in [0..<count, count / 3..<count - count / 3, (count - 1) / 2..<count / 2 + 1] {
            var results: [[Float]] = []
            for width in VectorWidth.available {
                results.append(
                    [Float](unsafeUninitializedCapacity: columns) { target, filled in
                        values.withUnsafeBufferPointer { values in
                            let rows = (0..<count).compactMap { row in values.baseAddress.map { $0 + row * columns } }
                            meanOfMiddle(
                                rows, middle: middle, into: .init(rebasing: target[..<columns]), vectors: width)
                        }
                        filled = columns
                    })
            }
            for column in 0..<columns {
                let sorted = (0..<count).map { Double(values[$0 * columns + column]) }.sorted()[middle]
                #expect(abs(Double(results[0][column]) - sorted.reduce(0, +) / Double(sorted.count)) < 1e-6)
            }
            #expect(results.allSatisfy { $0 == results[0] })
        }
    }

    @Test(arguments: [1, 4, 16, 17, 40])
    func `squared steps are those of plain sums, with vectors of every width`(columns: Int) {
        let (rows, stride) = (9, columns + 3)
        let (x, y) = (numbers(rows * columns, "x"), numbers(rows * stride, "y"))
        var wanted = 0.0
        var ofZeros = 0.0
        for row in 0..<rows {
            for column in 0..<columns {
                let value = 1.5 * Double(x[row * columns + column])
                let step = value - Double(y[row * stride + column])
                wanted += step * step
                ofZeros += value * value
            }
        }
        let totals = VectorWidth.available.map { width in
            x.withUnsafeBufferPointer { x in
                y.withUnsafeBufferPointer { y in
                    var steps = SquaredSteps(vectors: width)
                    steps.add(x, minus: y, stride: stride, columns: columns, scale: 1.5)
                    var zeros = SquaredSteps(vectors: width)
                    zeros.add(x, minus: nil, stride: columns, columns: columns, scale: 1.5)
                    return [steps.total, zeros.total]
                }
            }
        }
        #expect(abs(totals[0][0] - wanted) <= 1e-12 * wanted && abs(totals[0][1] - ofZeros) <= 1e-12 * ofZeros)
        #expect(totals.allSatisfy { $0 == totals[0] })
    }
}
