import LinearAlgebra
import Testing

/// Float32 results are held against plain doubles: 1e-6 of the largest singular value for what is published, a few
/// roundings of a double for the singular values.
@Suite struct `Component stacks` {
    /// (Q, outputs, inputs, rank): below both sides, at and above the smaller one, ranks beyond what there is.
    static let shapes = [
        (3, 20, 15, 4), (12, 20, 15, 5), (14, 20, 15, 14), (15, 20, 15, 6), (16, 15, 20, 15), (1, 7, 9, 1),
        (1, 1, 1, 1),
        (2, 9, 9, 1), (5, 1, 9, 3), (5, 9, 1, 3), (60, 10, 30, 8), (60, 30, 10, 12), (8, 8, 8, 8), (6, 300, 12, 4),
        (6, 12, 520, 4), (20, 300, 12, 5),
    ]

    @Test(arguments: shapes)
    func `the truncation is the best approximation of its rank`(shape: (Int, Int, Int, Int)) throws {
        let (components, outputs, inputs, rank) = shape
        let fixture = StackFixture.random(rank: components, outputs: outputs, inputs: inputs)
        let truncated = try fixture.truncated(toRank: rank)
        try expectBest(truncated, of: fixture)
        #expect(truncated.filled == min(components, outputs, inputs, rank))
    }

    /// The clients' differences are far below the square root of float32's rounding: a Gram matrix in float32 loses them.
    @Test(arguments: [1e-1, 1e-2, 1e-3] as [Float])
    func `clients that share their start are told apart`(noise: Float) throws {
        let fixture = StackFixture.commonStart(clients: 6, rank: 4, outputs: 40, inputs: 30, noise: noise)
        let truncated = try fixture.truncated(toRank: 8)
        try expectBest(truncated, of: fixture)
        #expect(truncated.filled == 8)
        let values = truncated.singularValues
        #expect(values[4] < Double(noise) * values[0], "the shape of the case: four values stand out")
    }

    @Test func `clients that agree exactly give the components of one`() throws {
        let fixture = StackFixture.commonStart(clients: 6, rank: 4, outputs: 40, inputs: 30, noise: 0)
        let truncated = try fixture.truncated(toRank: 8)
        try expectBest(truncated, of: fixture)
        #expect(truncated.filled == 4)
        #expect(truncated.singularValues.count == 8)
    }

    /// Holds a truncation against the dense product and its singular values.
    private func expectBest(_ truncated: TruncatedProduct, of fixture: StackFixture) throws {
        let values = fixture.singularValues
        let largest = try #require(values.first)
        let count = min(truncated.rank, fixture.rank, values.count)
        #expect(truncated.singularValues.count == count)
        for (got, want) in zip(truncated.singularValues, values) { #expect(abs(got - want) <= 1e-12 * largest) }

        for index in 0..<truncated.rank {
            let (left, right) = (truncated.leftRow(index), truncated.rightRow(index))
            guard index < truncated.filled else {
                #expect(left.allSatisfy { $0 == 0 } && right.allSatisfy { $0 == 0 })
                continue
            }
            #expect(abs(dot(left, left).squareRoot() - truncated.singularValues[index]) <= 1e-6 * largest)
            #expect(right.max { abs($0) < abs($1) } ?? 0 > 0, "the entry of largest magnitude is positive")
            for other in 0...index {
                #expect(abs(dot(right, truncated.rightRow(other)) - (other == index ? 1 : 0)) <= 1e-6)
                #expect(other == index || abs(dot(left, truncated.leftRow(other))) <= 1e-6 * largest * largest)
            }
        }

        // Eckart and Young: no approximation of this rank is closer than the singular values that it leaves out.
        let left = zip(truncated.product, fixture.product).map { $0 - $1 }
        let tail = values.dropFirst(truncated.rank).reduce(0) { $0 + $1 * $1 }.squareRoot()
        #expect(dot(left, left).squareRoot() <= tail + 1e-6 * largest)
    }

    @Test(arguments: [(6, 20, 15), (30, 20, 15)])
    func `a stack of zeros has no components`(components: Int, outputs: Int, inputs: Int) throws {
        let fixture = StackFixture(rank: components, outputs: outputs, inputs: inputs)
        let truncated = try fixture.truncated(toRank: 4)
        #expect(truncated.filled == 0)
        #expect(truncated.singularValues == [0, 0, 0, 0])
        #expect(truncated.left == Array(repeating: 0, count: 4 * outputs))
        #expect(truncated.right == Array(repeating: 0, count: 4 * inputs))
        #expect(try fixture.norm() == 0)
    }

    @Test(arguments: [(6, 20, 15), (30, 20, 15)])
    func `components of which one side is zero do not count`(components: Int, outputs: Int, inputs: Int) throws {
        let fixture = StackFixture.random(rank: components, outputs: outputs, inputs: inputs)
        for component in 0..<components where component >= 2 {
            let (side, length) = component.isMultiple(of: 2) ? (fixture.left, outputs) : (fixture.right, inputs)
            for index in component * length..<(component + 1) * length { side.floats[index] = 0 }
        }
        let truncated = try fixture.truncated(toRank: 4)
        try expectBest(truncated, of: fixture)
        #expect(truncated.filled == 2)
    }

    @Test(
        arguments: [(1e-20, 1), (1e15, 1), (1e-19, 1e-19), (1e15, 1e15), (1e30, 1e-30), (1e-38, 1e38)]
            as [(Float, Float)])
    func `scale does not matter`(left: Float, right: Float) throws {
        let fixture = StackFixture.random(rank: 12, outputs: 20, inputs: 15)
        let plain = try fixture.truncated(toRank: 5)
        let scaled = try fixture.scaled(left: left, right: right).truncated(toRank: 5)
        let factor = Double(left) * Double(right)
        #expect(scaled.filled == 5)
        for (got, want) in zip(scaled.singularValues, plain.singularValues) {
            #expect(abs(got - want * factor) <= 1e-6 * plain.singularValues[0] * factor)
        }
        for (got, want) in zip(scaled.right, plain.right) { #expect(abs(got - want) <= 1e-4) }
    }

    /// In a sum as it stands, 1e10 · 1e-10 would drown in the Gram matrices beside 1 · 1.
    @Test func `a component counts by its product, not by how its sides share it`() throws {
        let fixture = StackFixture.random(rank: 12, outputs: 20, inputs: 15)
        let lopsided = StackFixture.random(rank: 12, outputs: 20, inputs: 15)
        for component in 0..<12 {
            let scale = Float(sign: .plus, exponent: (component - 6) * 8, significand: 1)
            for index in component * 20..<(component + 1) * 20 { lopsided.left.floats[index] *= scale }
            for index in component * 15..<(component + 1) * 15 { lopsided.right.floats[index] /= scale }
        }
        try expectBest(try lopsided.truncated(toRank: 5), of: fixture)
    }

    @Test func `factors may be blocks of larger matrices`() throws {
        let wide = StackFixture.random(rank: 4, outputs: 30, inputs: 25)
        let block = ComponentStack(
            left: MatrixView(.init(wide.left.floats), rows: 4, columns: 20, stride: 30),
            right: MatrixView(.init(wide.right.floats), rows: 4, columns: 15, stride: 25))
        let fixture = StackFixture(rank: 4, outputs: 20, inputs: 15)
        for component in 0..<4 {
            for output in 0..<20 { fixture.left.floats[component * 20 + output] = block.left[component, output] }
            for input in 0..<15 { fixture.right.floats[component * 15 + input] = block.right[component, input] }
        }
        try withExtendedLifetime(wide) { try expectBest(try block.truncated(toRank: 3), of: fixture) }
    }

    @Test(arguments: [Float.nan, .infinity, -.infinity], [(6, 20, 15), (30, 20, 15)])
    func `a factor that is not finite is refused`(intruder: Float, shape: (Int, Int, Int)) {
        for side in [\StackFixture.left, \.right] {
            let fixture = StackFixture.random(rank: shape.0, outputs: shape.1, inputs: shape.2)
            fixture[keyPath: side].floats[7] = intruder
            #expect(throws: DecompositionError.notFinite) { try fixture.truncated(toRank: 2) }
        }
    }

    @Test(arguments: [(6, 20, 15), (30, 20, 15)])
    func `a product that no float holds is refused`(components: Int, outputs: Int, inputs: Int) {
        let fixture = StackFixture.random(rank: components, outputs: outputs, inputs: inputs)
            .scaled(left: 1e37, right: 1e37)
        #expect(throws: DecompositionError.beyondFloat) { try fixture.truncated(toRank: 2) }
    }

    @Test func `many threads at once get the bytes that one gets alone`() async throws {
        let alone = try (0..<4).map {
            try StackFixture.random(rank: 24, outputs: 40, inputs: 30, seed: UInt64($0)).truncated(toRank: 6)
        }
        try await withThrowingTaskGroup(of: (Int, TruncatedProduct).self) { group in
            for seed in 0..<16 {
                group.addTask {
                    let fixture = StackFixture.random(rank: 24, outputs: 40, inputs: 30, seed: UInt64(seed % 4))
                    return (seed % 4, try fixture.truncated(toRank: 6))
                }
            }
            for try await (index, product) in group {
                #expect(product.left == alone[index].left)
                #expect(product.right == alone[index].right)
                #expect(product.singularValues == alone[index].singularValues)
            }
        }
    }

    @Test(arguments: [(1, 7, 9), (6, 20, 15), (30, 20, 15), (3, 600, 300)])
    func `the norm is that of the dense product`(components: Int, outputs: Int, inputs: Int) throws {
        let fixture = StackFixture.random(rank: components, outputs: outputs, inputs: inputs)
        let want = dot(fixture.product, fixture.product).squareRoot()
        #expect(abs(try fixture.norm() - want) <= 1e-12 * want)
    }

    @Test func `components that cancel leave a norm of zero to rounding`() throws {
        let fixture = StackFixture.random(rank: 2, outputs: 20, inputs: 15)
        for index in 0..<20 { fixture.left.floats[20 + index] = -fixture.left.floats[index] }
        for index in 0..<15 { fixture.right.floats[15 + index] = fixture.right.floats[index] }
        #expect(try fixture.norm() <= 1e-6)
    }

    @Test func `factors of different ranks are no stack`() async {
        await #expect(processExitsWith: .failure) {
            let block = FloatBlock(count: 6)
            _ = ComponentStack(
                left: block.matrix(rows: 2, columns: 3).readOnly, right: block.matrix(rows: 3, columns: 2).readOnly)
        }
    }
}
