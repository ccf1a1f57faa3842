import LinearAlgebra
import Testing

@Suite struct `Component stacks` {
    @Test func `a stack at its own rank is the same product, with orthonormal rows on the right`() throws {
        var generator = SeededGenerator(seed: 1, stream: "stack")
        let (left, right) = (FloatBlock(count: 3 * 20), FloatBlock(count: 3 * 15))
        for block in [left, right] {
            for index in block.floats.indices { block.floats[index] = generator.uniform(within: 1) }
        }
        let stack = ComponentStack(
            left: left.matrix(rows: 3, columns: 20).readOnly, right: right.matrix(rows: 3, columns: 15).readOnly)
        let product = try stack.truncated(toRank: 4)
        #expect(product.filled == 3)
        for output in 0..<20 {
            for input in 0..<15 {
                let want = (0..<3).reduce(0.0) { $0 + Double(stack.left[$1, output]) * Double(stack.right[$1, input]) }
                let got = (0..<4).reduce(0.0) {
                    $0 + Double(product.left[$1 * 20 + output]) * Double(product.right[$1 * 15 + input])
                }
                #expect(abs(got - want) < 1e-6)
            }
        }
    }
}
