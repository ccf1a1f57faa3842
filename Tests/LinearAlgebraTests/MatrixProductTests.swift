import LinearAlgebra
import Testing

/// The product in plain double precision, element by element.
private func reference(
    _ target: [Float], keep: Double, scale: Double, _ left: (Int, Int) -> Double, _ right: (Int, Int) -> Double,
    m: Int, n: Int, k: Int
) -> [Double] {
    (0..<m * n).map { index in
        let (row, column) = (index / n, index % n)
        let sum = (0..<k).reduce(0.0) { $0 + left(row, $1) * right($1, column) }
        return keep * Double(target[index]) + scale * sum
    }
}

@Suite struct `Matrix products` {
    static let shapes = [(1, 1, 1), (3, 5, 2), (16, 200, 64), (33, 10, 100), (1, 7, 300)]
    static let forms: [(MatrixForm, MatrixForm)] = [
        (.asGiven, .asGiven), (.asGiven, .transposed), (.transposed, .asGiven), (.transposed, .transposed),
    ]

    /// The tolerance is the rounding of a float sum of k terms of size below 1: k · 2⁻²⁴, with a factor of two to spare.
    @Test(arguments: shapes, forms)
    func `a product agrees with plain double precision in every form`(
        shape: (Int, Int, Int), forms: (MatrixForm, MatrixForm)
    ) {
        let (m, n, k) = shape
        var generator = SeededGenerator(seed: 1, stream: "product")
        let left = FloatBlock(count: m * k)
        let right = FloatBlock(count: k * n)
        let target = FloatBlock(count: m * n)
        for block in [left, right, target] {
            for index in block.floats.indices { block.floats[index] = generator.uniform(within: 1) }
        }
        let leftView =
            forms.0 == .asGiven ? left.matrix(rows: m, columns: k) : left.matrix(rows: k, columns: m)
        let rightView =
            forms.1 == .asGiven ? right.matrix(rows: k, columns: n) : right.matrix(rows: n, columns: k)
        let expected = reference(
            Array(target.floats), keep: 0.5, scale: -2,
            { forms.0 == .asGiven ? Double(leftView[$0, $1]) : Double(leftView[$1, $0]) },
            { forms.1 == .asGiven ? Double(rightView[$0, $1]) : Double(rightView[$1, $0]) }, m: m, n: n, k: k)

        MatrixProduct.accumulate(
            into: target.matrix(rows: m, columns: n), keep: 0.5, scale: -2, leftView.readOnly, forms.0,
            rightView.readOnly, forms.1)

        let tolerance = 2 * 2 * Double(k + 1) * 0x1p-24
        for (got, want) in zip(target.floats, expected) { #expect(abs(Double(got) - want) <= tolerance) }
    }

    @Test func `a target that is not kept may hold anything before`() {
        let one = FloatBlock(count: 1)
        one.floats[0] = 3
        let target = FloatBlock(count: 1)
        target.floats[0] = .nan
        let view = one.matrix(rows: 1, columns: 1).readOnly
        MatrixProduct.accumulate(into: target.matrix(rows: 1, columns: 1), view, .asGiven, view, .asGiven)
        #expect(target.floats[0] == 9)
    }

    @Test func `a block of a larger matrix is multiplied within its stride and nothing beside it is touched`() {
        let large = FloatBlock(count: 12)
        for index in large.floats.indices { large.floats[index] = Float(index) }
        let block = MatrixView(.init(large.floats), rows: 2, columns: 2, stride: 4)
        let target = FloatBlock(count: 6)
        for index in target.floats.indices { target.floats[index] = -1 }
        let view = MutableMatrixView(target.floats, rows: 2, columns: 2, stride: 3)
        MatrixProduct.accumulate(into: view, block, .asGiven, block, .transposed)
        #expect(Array(target.floats) == [1, 5, -1, 5, 41, -1])
    }

    @Test func `the same product gives the same bytes every time`() {
        var generator = SeededGenerator(seed: 2, stream: "bytes")
        let factor = FloatBlock(count: 300 * 300)
        for index in factor.floats.indices { factor.floats[index] = generator.uniform(within: 1) }
        let view = factor.matrix(rows: 300, columns: 300).readOnly
        let results = (0..<4).map { _ in
            let target = FloatBlock(count: 300 * 300)
            MatrixProduct.accumulate(
                into: target.matrix(rows: 300, columns: 300), view, .asGiven, view, .transposed)
            return target.floats.map(\.bitPattern)
        }
        #expect(results.allSatisfy { $0 == results[0] })
    }
}

@Suite struct `Matrix views` {
    @Test func `a prefix of rows shares the memory of its matrix`() {
        let block = FloatBlock(count: 6)
        let matrix = block.matrix(rows: 3, columns: 2)
        block.floats[3] = 7
        #expect(matrix.prefix(rows: 2).rows == 2)
        #expect(matrix.prefix(rows: 2)[1, 1] == 7)
        #expect(matrix.readOnly.prefix(rows: 2)[1, 1] == 7)
    }

    @Test func `a matrix larger than its buffer is refused`() async {
        await #expect(processExitsWith: .failure) {
            let block = FloatBlock(count: 5)
            _ = block.matrix(rows: 3, columns: 2)
        }
        await #expect(processExitsWith: .failure) {
            let block = FloatBlock(count: 8)
            _ = MatrixView(.init(block.floats), rows: Int.max, columns: 2, stride: 4)
        }
    }

    @Test func `factors whose inner sides differ are refused`() async {
        await #expect(processExitsWith: .failure) {
            let block = FloatBlock(count: 6)
            let target = FloatBlock(count: 4)
            let view = block.matrix(rows: 2, columns: 3).readOnly
            MatrixProduct.accumulate(into: target.matrix(rows: 2, columns: 2), view, .asGiven, view, .asGiven)
        }
    }
}
