package import AdapterFormat
import LinearAlgebra

/// Version 0 of a federation's adapter, and every other new adapter: A drawn from the federation's seed, B zero, and
/// dense tensors as their settings say.
///
/// A is uniform in ±1/√inputs, like torch's `kaiming_uniform_(a=√5)`. Every module has its own stream of random
/// numbers, and the first rows of a module are the same at every rank. So any part can be drawn alone.
package struct InitialAdapter: AdapterSource, Sendable {
    private let seed: UInt64
    private let round: Int

    /// - Parameter round: 0 for version 0; a strategy with a new adapter every round passes the round.
    package init(seed: UInt64, round: Int = 0) {
        self.seed = seed
        self.round = round
    }

    package func factors(of module: ModuleShape, rank: Int) -> ModuleFactors? {
        draw(module, rank: min(rank, module.maximumRank))
    }

    package func values(of tensor: AdapterShape.Dense) -> [Float]? {
        switch tensor.initial {
        case .base, .template: return nil
        case .zeros: return [Float](repeating: 0, count: tensor.elementCount)
        case .ones: return [Float](repeating: 1, count: tensor.elementCount)
        case .normal(let deviation):
            var generator = SeededGenerator(seed: seed, stream: "dense", String(round), tensor.name)
            return (0..<tensor.elementCount).map { _ in Float(deviation * generator.normal()) }
        }
    }

    /// Draws all tensors of a shape into a sink in the shape's order, one module per thread at a time. Blocks.
    package func draw<Sink: AdapterSink & ~Copyable>(_ shape: AdapterShape, threads: Int, into sink: inout Sink) throws
    {
        try orderedPipeline(
            count: shape.modules.count, threads: threads,
            prepare: { _ in },
            work: { index, _ in draw(shape.modules[index], rank: shape.modules[index].maximumRank) },
            consume: { index, factors in try sink.take(factors, of: shape.modules[index]) })
        for tensor in shape.dense {
            guard let values = values(of: tensor) else { continue }
            try sink.take(values, of: tensor)
        }
    }

    func draw(_ module: ModuleShape, rank: Int) -> ModuleFactors {
        var generator = SeededGenerator(seed: seed, stream: "adapter", String(round), module.name)
        let bound = 1 / Float(module.inputs).squareRoot()
        var factors = ModuleFactors(zeroOf: module, rank: rank)
        for index in factors.a.indices { factors.a[index] = generator.uniform(within: bound) }
        return factors
    }
}
