import LinearAlgebra

/// A stack of components that owns its factors, and the dense product in plain doubles.
struct StackFixture {
    let left: FloatBlock
    let right: FloatBlock
    let rank: Int
    let outputs: Int
    let inputs: Int

    init(rank: Int, outputs: Int, inputs: Int) {
        left = FloatBlock(count: rank * outputs)
        right = FloatBlock(count: rank * inputs)
        (self.rank, self.outputs, self.inputs) = (rank, outputs, inputs)
    }

    static func random(rank: Int, outputs: Int, inputs: Int, seed: UInt64 = 1) -> StackFixture {
        let fixture = StackFixture(rank: rank, outputs: outputs, inputs: inputs)
        var generator = SeededGenerator(seed: seed, stream: "stack")
        for block in [fixture.left, fixture.right] {
            for index in block.floats.indices { block.floats[index] = generator.uniform(within: 1) }
        }
        return fixture
    }

    /// The factors of `clients` that start alike and differ by `noise`.
    static func commonStart(clients: Int, rank: Int, outputs: Int, inputs: Int, noise: Float) -> StackFixture {
        let fixture = StackFixture(rank: clients * rank, outputs: outputs, inputs: inputs)
        var generator = SeededGenerator(seed: 2, stream: "common start")
        for block in [fixture.left, fixture.right] {
            let start = (0..<block.floats.count / clients).map { _ in Float(generator.normal()) }
            for index in block.floats.indices {
                block.floats[index] = start[index % start.count] + noise * Float(generator.normal())
            }
        }
        return fixture
    }

    /// Lends the stack: its views do not keep the factors alive.
    func withStack<Result>(
        _ body: (ComponentStack) throws(DecompositionError) -> Result
    ) throws(DecompositionError) -> Result {
        defer { withExtendedLifetime(self) {} }
        return try body(
            ComponentStack(
                left: left.matrix(rows: rank, columns: outputs).readOnly,
                right: right.matrix(rows: rank, columns: inputs).readOnly))
    }

    func truncated(toRank rank: Int) throws(DecompositionError) -> TruncatedProduct {
        try withStack { stack throws(DecompositionError) in try stack.truncated(toRank: rank) }
    }

    func norm() throws(DecompositionError) -> Double {
        try withStack { stack throws(DecompositionError) in stack.frobeniusNorm() }
    }

    /// The correction along the right factor of another stack.
    func correction(along g: StackFixture, ridge: Double) throws(DecompositionError) -> [Float] {
        try withStack { stack throws(DecompositionError) in
            try g.withStack { other throws(DecompositionError) in
                try ridgeCorrection(of: stack, along: other.right, ridge: ridge)
            }
        }
    }

    /// The same with every left and right multiplied.
    func scaled(left leftScale: Float, right rightScale: Float) -> StackFixture {
        let scaled = StackFixture(rank: rank, outputs: outputs, inputs: inputs)
        for index in left.floats.indices { scaled.left.floats[index] = left.floats[index] * leftScale }
        for index in right.floats.indices { scaled.right.floats[index] = right.floats[index] * rightScale }
        return scaled
    }

    /// P (outputs × inputs), a row after the other.
    var product: [Double] {
        var product = [Double](repeating: 0, count: outputs * inputs)
        for component in 0..<rank {
            for output in 0..<outputs {
                let entry = Double(left.floats[component * outputs + output])
                for input in 0..<inputs {
                    product[output * inputs + input] += entry * Double(right.floats[component * inputs + input])
                }
            }
        }
        return product
    }

    /// All singular values of P, descending, by one-sided Jacobi rotations in plain doubles.
    var singularValues: [Double] {
        let isWide = inputs > outputs
        let (count, length) = (min(outputs, inputs), max(outputs, inputs))
        let product = product
        // The vectors whose lengths the rotations turn into singular values: the smaller side's.
        var vectors = (0..<count).map { vector in
            (0..<length).map { isWide ? product[vector * inputs + $0] : product[$0 * inputs + vector] }
        }
        for _ in 0..<40 {
            var isDone = true
            for first in 0..<count {
                for second in first + 1..<max(count, first + 1) {
                    isDone = !rotate(&vectors, first, second) && isDone
                }
            }
            if isDone { break }
        }
        return vectors.map { dot($0, $0).squareRoot() }.sorted(by: >)
    }

    private func rotate(_ vectors: inout [[Double]], _ first: Int, _ second: Int) -> Bool {
        let (a, b) = (dot(vectors[first], vectors[first]), dot(vectors[second], vectors[second]))
        let cross = dot(vectors[first], vectors[second])
        guard abs(cross) > 1e-15 * (a * b).squareRoot() else { return false }
        let zeta = (b - a) / (2 * cross)
        let tangent = (zeta < 0 ? -1 : 1) / (abs(zeta) + (1 + zeta * zeta).squareRoot())
        let cosine = 1 / (1 + tangent * tangent).squareRoot()
        for index in vectors[first].indices {
            let (x, y) = (vectors[first][index], vectors[second][index])
            vectors[first][index] = cosine * (x - tangent * y)
            vectors[second][index] = cosine * (tangent * x + y)
        }
        return true
    }
}

func dot(_ left: [Double], _ right: [Double]) -> Double {
    zip(left, right).reduce(0) { $0 + $1.0 * $1.1 }
}

extension TruncatedProduct {
    func leftRow(_ index: Int) -> [Double] { left[index * outputs..<(index + 1) * outputs].map(Double.init) }
    func rightRow(_ index: Int) -> [Double] { right[index * inputs..<(index + 1) * inputs].map(Double.init) }

    /// left · right, as `StackFixture.product` has it.
    var product: [Double] {
        var product = [Double](repeating: 0, count: outputs * inputs)
        for component in 0..<rank {
            let (left, right) = (leftRow(component), rightRow(component))
            for output in 0..<outputs {
                for input in 0..<inputs { product[output * inputs + input] += left[output] * right[input] }
            }
        }
        return product
    }
}
