import AdapterFormat
import Aggregation
import Federation

/// A sum of stored results of rounds, module by module: of merges, or of merges and an adapter.
///
/// Its calls block: use it on a queue of its own. Only one module's stack is in memory at a time.
struct StoredSum: AdapterSource {
    /// A summand, with the scale that its B stands for.
    enum Term: Sendable {
        case merge(StoredAdapter)
        /// An adapter at the scales of the federation's maximum ranks.
        case adapter(StoredAdapter, Scaling)
        /// An adapter of the sparse stage.
        case sparse(StoredAdapter, Strategy, seed: UInt64)
    }

    let terms: [Term]
    /// The scaling in which the sum is expressed; nil for scale 1.
    let scaling: Scaling?
    /// The source of the tensors beside the factors.
    let dense: StoredAdapter?

    /// The rank of a module's sum: all components, up to the limit and the sizes of the matrix.
    func rank(of module: ModuleShape, limit: Int?) throws -> Int {
        let held = try terms.reduce(0) { held, term in
            switch term {
            case .merge(let source), .adapter(let source, _): held + (try source.rank(of: module))
            case .sparse: held + min(module.inputs, module.outputs)
            }
        }
        return max(1, min(held, limit ?? .max, module.inputs, module.outputs))
    }

    /// The sum as factors of exactly `rank`. Up to `rank` components are kept exactly, and more are approximated as
    /// well as possible. Missing components are zero.
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
    /// Adds components of zeros up to a rank, and a bias where the module has one.
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
