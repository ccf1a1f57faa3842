/// The weights of a matrix that a sparse stage trains: the same ones on the server and on every client.
///
/// Selection sampling (Knuth, The Art of Computer Programming, volume 2, 3.4.2, algorithm S) draws the mask from
/// `SeededGenerator(seed:stream: "sparse mask", module)`. It visits the `outputs × inputs` row-major indices in
/// ascending order. It keeps index i of N with probability (K − kept)/(N − i), decided by one uniform double u each: it
/// keeps i where (N − i)·u < K − kept. Every subset of K indices is equally likely.
package struct SparseMask: Sendable, Hashable {
    /// The K kept flat indices, ascending; K = max(1, ⌊density · outputs · inputs⌋).
    package let indices: [Int]

    /// Draws the mask in time linear in `outputs · inputs`.
    ///
    /// - Precondition: the dimensions are positive, their product is an `Int`, and 0 < density ≤ 1.
    package init(seed: UInt64, module: String, outputs: Int, inputs: Int, density: Double) {
        let total = outputs * inputs
        let count = Self.count(outputs: outputs, inputs: inputs, density: density)
        var generator = SeededGenerator(seed: seed, stream: "sparse mask", module)
        var indices: [Int] = []
        indices.reserveCapacity(count)
        var index = 0
        while indices.count < count {
            let unit: Double = generator.uniform()
            if Double(total - index) * unit < Double(count - indices.count) { indices.append(index) }
            index += 1
        }
        self.indices = indices
    }

    /// The number of weights that a mask keeps.
    ///
    /// - Precondition: as for `init`.
    package static func count(outputs: Int, inputs: Int, density: Double) -> Int {
        precondition(outputs > 0 && inputs > 0, "a mask of \(outputs) × \(inputs)")
        precondition(density > 0 && density <= 1, "a mask of density \(density)")
        return max(1, Int((density * Double(outputs * inputs)).rounded(.down)))
    }
}
