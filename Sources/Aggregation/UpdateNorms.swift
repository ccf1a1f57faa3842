import AdapterFormat
import LinearAlgebra

/// ‖s_k·B_k·A_k‖_F of every client over all modules: the square root of the summed squares, from Gram matrices.
///
/// For a factor that a client did not send, it uses the server's copy.
struct UpdateNorms: Sendable {
    let shape: AdapterShape
    let scaling: Scaling
    /// The factors that the clients sent.
    let factors: FactorSet
    let threads: Int

    func norms(of members: [Cohort.Member], after earlier: EarlierAdapter) throws -> [Double] {
        var squares = [Double](repeating: 0, count: members.count)
        try orderedPipeline(
            count: shape.modules.count, threads: threads,
            prepare: { index in factors == .both ? nil : try earlier.factors(of: shape.modules[index]) },
            work: { index, earlier in
                try members.map { try square(of: $0, at: index, earlier: earlier) }
            },
            consume: { _, module in
                for (client, square) in module.enumerated() { squares[client] += square }
            })
        return squares.map { $0.squareRoot() }
    }

    private func square(
        of member: Cohort.Member, at position: Int, earlier: ModuleFactors?
    ) throws -> Double {
        let shape = shape.modules[position]
        guard let module = member.file.module(at: position) else { return 0 }
        let known = try known(of: module, shape, earlier: earlier)
        let scale = member.scale(of: module, shape, scaling)
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

    /// The server's factor of a module for which the client sent only the other one, at the client's scale.
    private func known(
        of module: AdapterFile.Module, _ shape: ModuleShape, earlier: ModuleFactors?
    ) throws(AggregationError) -> ModuleFactors? {
        guard module.a == nil || module.b == nil else { return nil }
        guard var cut = earlier?.prefix(rank: module.rank), cut.rank == module.rank else {
            throw .noEarlier(module: shape.name)
        }
        let ratio = Float(scaling.of(shape).ratio(fromRank: shape.maximumRank, toRank: module.rank))
        if ratio != 1 {
            for index in cut.b.indices { cut.b[index] *= ratio }
        }
        return cut
    }
}
