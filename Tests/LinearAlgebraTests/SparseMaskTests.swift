import LinearAlgebra
import Testing

struct SparseMaskTests {
    @Test(arguments: [(200, 64, 0.01, 128), (10, 7, 0.5, 35), (3, 3, 0.01, 1), (4, 5, 1.0, 20), (1, 1, 0.3, 1)])
    func `a mask keeps its share of the weights, ascending and once each`(
        outputs: Int, inputs: Int, density: Double, expected: Int
    ) {
        let indices = SparseMask(seed: 7, module: "fc1", outputs: outputs, inputs: inputs, density: density).indices
        #expect(indices.count == expected)
        #expect(indices.count == SparseMask.count(outputs: outputs, inputs: inputs, density: density))
        #expect(zip(indices, indices.dropFirst()).allSatisfy { $0 < $1 })
        #expect(indices.allSatisfy { (0..<outputs * inputs).contains($0) })
    }

    @Test func `a mask is fixed by its seed and its module`() {
        func draw(_ seed: UInt64, _ module: String) -> [Int] {
            SparseMask(seed: seed, module: module, outputs: 20, inputs: 30, density: 0.02).indices
        }
        #expect(draw(7, "fc1") == draw(7, "fc1"))
        #expect(draw(7, "fc1") != draw(8, "fc1"))
        #expect(draw(7, "fc1") != draw(7, "fc2"))
        // Fixed for good: clients and servers of different versions have to agree.
        #expect(draw(7, "fc1") == [128, 137, 213, 271, 304, 362, 427, 431, 434, 481, 517, 550])
    }

    @Test func `every weight is as likely to be kept as any other`() {
        var hits = [Int](repeating: 0, count: 12)
        for seed in 0..<4000 as Range<UInt64> {
            for index in SparseMask(seed: seed, module: "m", outputs: 3, inputs: 4, density: 0.25).indices {
                hits[index] += 1
            }
        }
        // 4000 draws of 3 in 12: a mean of 1000 with a standard deviation of 27.
        #expect(hits.allSatisfy { (870...1130).contains($0) }, "\(hits)")
    }
}
