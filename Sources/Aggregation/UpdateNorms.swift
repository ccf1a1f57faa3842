import AdapterFormat
import LinearAlgebra

/// ‖s_k·B_k·A_k‖_F of every client over all modules: the square root of the summed squares, from Gram matrices.
///
/// For a factor that clients do not train, it uses the server's copy.
struct UpdateNorms: Sendable {
    let shape: AdapterShape
    let scaling: Scaling
    /// The factors that the clients trained.
    let factors: FactorSet
    let threads: Int

    /// - Parameter stepShares: the share of each member's step from the last adapter that counts; nil for all of it.
    func norms(
        of members: [Cohort.Member], after earlier: EarlierAdapter, stepShares: [Double]? = nil
    ) throws -> [Double] {
        var squares = [Double](repeating: 0, count: members.count)
        let needsEarlier = factors != .both || stepShares?.contains { $0 < 1 } == true
        try orderedPipeline(
            count: shape.modules.count, threads: threads,
            prepare: { index in needsEarlier ? try earlier.factors(of: shape.modules[index]) : nil },
            work: { index, earlier in
                try members.enumerated().map { place, member in
                    try square(of: member, at: index, earlier: earlier, stepShare: stepShares?[place] ?? 1)
                }
            },
            consume: { _, module in
                for (client, square) in module.enumerated() { squares[client] += square }
            })
        return squares.map { $0.squareRoot() }
    }

    private func square(
        of member: Cohort.Member, at position: Int, earlier: ModuleFactors?, stepShare: Double
    ) throws -> Double {
        let shape = shape.modules[position]
        guard let module = member.file.module(at: position) else { return 0 }
        let known = try known(of: module, shape, earlier: earlier)
        var scale = member.scale(of: module, shape, scaling)
        let a = factors.contains(.a) ? module.a?.floats() ?? [] : known?.a ?? []
        var own =
            if factors.contains(.b) {
                ModuleFactors(
                    rank: module.rank, inputs: shape.inputs, outputs: shape.outputs, a: a,
                    outputMajorB: module.b?.floats() ?? [])
            } else {
                ModuleFactors(
                    rank: module.rank, inputs: shape.inputs, outputs: shape.outputs, a: a, b: known?.b ?? [])
            }
        if stepShare < 1 {
            let maximum = scaling.of(shape).scale(atRank: shape.maximumRank)
            own.shorten(by: stepShare, from: earlier, factors, ratio: scale / maximum)
            scale = factors.contains(.b) ? maximum : scale
        }
        var sum = ComponentSum(shape: shape)
        sum.add(own, times: [Double](repeating: 1, count: module.rank))
        let norm = scale * sum.withStack { $0.frobeniusNorm() }
        return norm * norm
    }

    /// The server's factors of a module of which clients train only one, at the client's scale.
    private func known(
        of module: AdapterFile.Module, _ shape: ModuleShape, earlier: ModuleFactors?
    ) throws(AggregationError) -> ModuleFactors? {
        guard factors != .both else { return nil }
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

extension ModuleFactors {
    /// Moves trained factors back towards the last adapter, so that a share of the step remains; B becomes one at the
    /// maximum rank's scale.
    ///
    /// - Parameter ratio: the client's scale over that of the maximum rank.
    fileprivate mutating func shorten(
        by share: Double, from earlier: ModuleFactors?, _ factors: FactorSet, ratio: Double
    ) {
        let last = earlier?.prefix(rank: min(rank, earlier?.rank ?? 0))
        func moved(_ value: Float, _ scale: Double, from last: [Float]?, at index: Int) -> Float {
            let start = last.map { index < $0.count ? Double($0[index]) : 0 } ?? 0
            return Float(start + share * (scale * Double(value) - start))
        }
        if factors.contains(.a) {
            let start = last?.a
            for index in a.indices { a[index] = moved(a[index], 1, from: start, at: index) }
        }
        if factors.contains(.b) {
            let start = last?.b
            var values = b
            for index in values.indices { values[index] = moved(values[index], ratio, from: start, at: index) }
            b = values
        }
    }
}
