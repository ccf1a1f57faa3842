package import AdapterFormat

/// A sum of products of one module as one adapter: merges of many rounds, or all merges and the adapter.
///
/// Adding concatenates components, which is exact. Reading the sum recompresses it where the result is no larger.
package struct LowRankSum {
    private let shape: ModuleShape
    private var sum: ComponentSum
    private var bias: [Float]?

    /// An empty sum for a module of this shape.
    package init(shape: ModuleShape) {
        self.shape = shape
        sum = ComponentSum(shape: shape)
    }

    /// Adds scale · B·A, and scale · bias where there is one.
    ///
    /// - Precondition: the factors have the module's inputs and outputs.
    package mutating func add(_ factors: ModuleFactors, scale: Double = 1) {
        sum.add(factors, times: [Double](repeating: scale, count: factors.rank))
        guard shape.hasBias else { return }
        var total = bias ?? shape.noBias
        if let added = factors.bias {
            for index in total.indices { total[index] += Float(scale) * added[index] }
        }
        bias = total
    }

    /// The number of components that it holds.
    package var rank: Int { sum.rank }

    /// The sum at scale 1; nil where nothing was added.
    ///
    /// - Parameter limit: the highest rank; nil for the smaller side of the matrix, at which the sum is exact except
    ///   for rounding.
    /// - Returns: the added components where they are no more than the limit, else the best approximation of that rank,
    ///   without components that are zero.
    package func factors(rankLimit limit: Int? = nil) throws -> ModuleFactors? {
        let limit = min(limit ?? .max, max(1, min(shape.inputs, shape.outputs)))
        guard sum.rank > limit else { return sum.stacked(bias: bias)?.factors }
        let (factors, filled) = try sum.truncated(toRank: limit, bias: bias)
        return factors.prefix(rank: max(1, filled))
    }
}

/// The sparse stage's adapter as low-rank factors for users.
extension Strategy {
    /// The best approximation of a module's change in a round of the sparse stage, at scale 1.
    ///
    /// - Parameters:
    ///   - values: the module's tensor in the round's adapter.
    ///   - seed: the federation's.
    /// - Returns: nil outside that stage.
    package func sparseProduct(
        of module: ModuleShape, values: [Float], seed: UInt64, rankLimit: Int
    ) throws -> ModuleFactors? {
        guard let density = sparseDensity else { return nil }
        let (factors, filled) = try SparseChange(module: module, values: values, seed: seed, density: density)
            .product(rank: rankLimit)
        return factors.prefix(rank: max(1, filled))
    }
}
