import AdapterFormat
import Aggregation
import Federation

/// A sum of what rounds left, module by module: of merges, or of merges and an adapter.
///
/// Its calls block: use it on a queue of its own. In memory is one module's stack.
struct StoredSum: AdapterSource {
    /// What is added, with the scale that its B stands for.
    enum Term: Sendable {
        case merge(StoredAdapter)
        /// An adapter at the scales of the federation's maximum ranks.
        case adapter(StoredAdapter, Scaling)
        /// An adapter of the sparse stage.
        case sparse(StoredAdapter, Strategy, seed: UInt64)
    }

    let terms: [Term]
    /// The scaling that the sum is expressed in; nil for scale 1.
    let scaling: Scaling?
    /// Where the tensors beside the factors are.
    let dense: StoredAdapter?

    /// The rank that the sum of a module has: all components, as far as the limit and the sides of the matrix allow.
    func rank(of module: ModuleShape, limit: Int?) throws -> Int {
        let held = try terms.reduce(0) { held, term in
            switch term {
            case .merge(let source), .adapter(let source, _): held + (try source.rank(of: module))
            case .sparse: held + min(module.inputs, module.outputs)
            }
        }
        return max(1, min(held, limit ?? .max, module.inputs, module.outputs))
    }

    /// The sum as factors of exactly `rank`: as they are where they are no more, else the best approximation; what is
    /// left over is zero.
    func factors(of module: ModuleShape, rank: Int) throws -> ModuleFactors? {
        let unit = scaling.map { $0.of(module).scale(atRank: rank) } ?? 1
        var sum = LowRankSum(shape: module)
        for term in terms {
            switch term {
            case .merge(let source):
                if let factors = try source.factors(of: module, rank: .max) { sum.add(factors, scale: 1 / unit) }
            case .adapter(let source, let scaling):
                guard let factors = try source.factors(of: module, rank: .max) else { continue }
                sum.add(factors, scale: scaling.of(module).scale(atRank: module.maximumRank) / unit)
            case .sparse(let source, let strategy, let seed):
                guard let values = try source.values(of: strategy.sparseTensor(of: module)),
                    let factors = try strategy.sparseProduct(of: module, values: values, seed: seed, rankLimit: rank)
                else { continue }
                sum.add(factors, scale: 1 / unit)
            }
        }
        return try sum.factors(rankLimit: rank).padded(toRank: rank, of: module)
    }

    func values(of tensor: AdapterShape.Dense) throws(StoreError) -> [Float]? { try dense?.values(of: tensor) }
}

extension ModuleFactors? {
    /// With components of zeros up to a rank, and a bias where the module has one.
    fileprivate func padded(toRank rank: Int, of module: ModuleShape) -> ModuleFactors {
        guard let self else { return ModuleFactors(zeroOf: module, rank: rank) }
        func zeros(_ count: Int) -> [Float] { [Float](repeating: 0, count: max(0, count)) }
        let missing = max(0, rank - self.rank)
        return ModuleFactors(
            rank: self.rank + missing, inputs: module.inputs, outputs: module.outputs,
            a: self.a + zeros(missing * module.inputs), b: self.b + zeros(missing * module.outputs),
            bias: module.hasBias ? self.bias ?? zeros(module.outputs) : nil)
    }
}
