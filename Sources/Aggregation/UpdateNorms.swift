import AdapterFormat
import LinearAlgebra

/// ‖s_k·B_k·A_k‖_F of every client over all modules, by Gram matrices: the square root of the summed squares.
///
/// A factor that a client did not send counts as the server's copy of it.
struct UpdateNorms: Sendable {
    let shape: AdapterShape
    let scaling: Scaling
    /// The factors that the clients sent.
    let factors: FactorSet
    let threads: Int

    func norms(of contributions: [Contribution], after earlier: EarlierAdapter) throws -> [Double] {
        var squares = [Double](repeating: 0, count: contributions.count)
        try orderedPipeline(
            count: shape.modules.count, threads: threads,
            prepare: { index in factors == .both ? nil : try earlier.factors(of: shape.modules[index]) },
            work: { index, earlier in
                try contributions.map { try square(of: $0, in: shape.modules[index], earlier: earlier) }
            },
            consume: { _, module in
                for (client, square) in module.enumerated() { squares[client] += square }
            })
        return squares.map { $0.squareRoot() }
    }

    private func square(
        of contribution: Contribution, in shape: ModuleShape, earlier: ModuleFactors?
    ) throws -> Double {
        guard let module = contribution.adapter[module: shape.name] else { return 0 }
        let known = try known(of: module, shape, earlier: earlier)
        let scale = contribution.scale ?? scaling.scale(atRank: module.rank)
        let a = module.a?.floats() ?? known?.a ?? []
        let factors =
            if let b = module.b {
                ModuleFactors(
                    rank: module.rank, inputs: shape.inputs, outputs: shape.outputs, a: a, outputMajorB: b.floats())
            } else {
                ModuleFactors(
                    rank: module.rank, inputs: shape.inputs, outputs: shape.outputs, a: a, b: known?.b ?? [])
            }
        var sum = ComponentSum(shape: shape)
        sum.add(factors, times: [Double](repeating: 1, count: module.rank))
        let norm = scale * sum.withStack { $0.frobeniusNorm() }
        return norm * norm
    }

    /// What the server sent of a module that came with one factor, at the client's scale.
    private func known(
        of module: AdapterFile.Module, _ shape: ModuleShape, earlier: ModuleFactors?
    ) throws(AggregationError) -> ModuleFactors? {
        guard module.a == nil || module.b == nil else { return nil }
        guard var cut = earlier?.prefix(rank: module.rank), cut.rank == module.rank else {
            throw .noEarlier(module: shape.name)
        }
        let ratio = Float(scaling.ratio(fromRank: shape.maximumRank, toRank: module.rank))
        if ratio != 1 {
            for index in cut.b.indices { cut.b[index] *= ratio }
        }
        return cut
    }
}
