import LinearAlgebra
import Testing

@Suite struct `Ridge corrections` {
    /// The correction C (outputs × R) is right where C·(G·Gᵀ + λI) = E·Gᵀ, row by row, in plain doubles.
    private func expectSolves(_ correction: [Float], _ fixture: StackFixture, along g: StackFixture, ridge: Double) {
        let rank = g.rank
        let rows = (0..<rank).map { row in
            (0..<fixture.inputs).map { Double(g.right.floats[row * fixture.inputs + $0]) }
        }
        let product = fixture.product
        let scale = rows.reduce(0) { $0 + dot($1, $1) } + ridge
        for output in 0..<fixture.outputs {
            let dense = Array(product[output * fixture.inputs..<(output + 1) * fixture.inputs])
            let corrected = (0..<rank).map { Double(correction[$0 * fixture.outputs + output]) }
            let size = dot(corrected, corrected).squareRoot()
            for row in 0..<rank {
                let applied = (0..<rank).reduce(ridge * corrected[row]) {
                    $0 + corrected[$1] * dot(rows[$1], rows[row])
                }
                #expect(abs(applied - dot(dense, rows[row])) <= 1e-6 * scale * size)
            }
        }
    }

    @Test(arguments: [(12, 20, 15, 4), (40, 10, 30, 8), (3, 5, 4, 4), (1, 1, 1, 1), (2, 3, 4, 6)], [0.01, 1, 100])
    func `a correction solves its equation`(shape: (Int, Int, Int, Int), ridge: Double) throws {
        let (components, outputs, inputs, rank) = shape
        let fixture = StackFixture.random(rank: components, outputs: outputs, inputs: inputs)
        let g = StackFixture.random(rank: rank, outputs: 1, inputs: inputs, seed: 9)
        let correction = try fixture.correction(along: g, ridge: ridge)
        #expect(correction.count == rank * outputs)
        expectSolves(correction, fixture, along: g, ridge: ridge)
    }

    @Test func `without a ridge, dependent rows of G share the shortest correction`() throws {
        let fixture = StackFixture.random(rank: 12, outputs: 20, inputs: 15)
        let g = StackFixture.random(rank: 4, outputs: 1, inputs: 15, seed: 9)
        for index in 0..<15 {
            g.right.floats[15 + index] = g.right.floats[index]
            g.right.floats[45 + index] = 0
        }
        let correction = try fixture.correction(along: g, ridge: 0)
        expectSolves(correction, fixture, along: g, ridge: 0)
        for output in 0..<20 {
            #expect(abs(correction[output] - correction[20 + output]) <= 1e-5)
            #expect(correction[60 + output] == 0)
        }
    }

    @Test func `along zeros there is nothing to correct`() throws {
        let fixture = StackFixture.random(rank: 3, outputs: 5, inputs: 4)
        let g = StackFixture(rank: 2, outputs: 1, inputs: 4)
        for ridge in [0, 0.5] {
            #expect(try fixture.correction(along: g, ridge: ridge) == Array(repeating: 0, count: 10))
        }
    }

    @Test func `what is not finite, or would not be, is refused`() {
        let broken = StackFixture.random(rank: 3, outputs: 5, inputs: 4)
        broken.left.floats[3] = .nan
        let sound = StackFixture.random(rank: 3, outputs: 5, inputs: 4)
        let g = StackFixture.random(rank: 2, outputs: 1, inputs: 4, seed: 9)
        let infinite = StackFixture.random(rank: 2, outputs: 1, inputs: 4, seed: 9)
        infinite.right.floats[5] = .infinity
        #expect(throws: DecompositionError.notFinite) {
            try broken.correction(along: g, ridge: 1)
        }
        #expect(throws: DecompositionError.notFinite) {
            try sound.correction(along: infinite, ridge: 1)
        }
        #expect(throws: DecompositionError.beyondFloat) {
            try sound.scaled(left: 1e37, right: 1e37).correction(along: g, ridge: 1)
        }
    }
}
