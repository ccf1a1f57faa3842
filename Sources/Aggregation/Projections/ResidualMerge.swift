import AdapterFormat

/// Publishes the mean of the factors, and as a merge the difference of the mean product from their product: `fedex`
/// (arXiv 2410.09432).
///
/// merge = Σ_k p_k·s_k·B_k·A_k − s_R·G_B·G_A. The subtraction leaves out components that no client holds.
struct ResidualMerge: Projection {
    /// The rank to which the merge is cut by SVD; nil publishes it exactly.
    let residualRank: Int?
    private let mean = FactorMean(coverage: .reached)

    init(residualRank: Int?) { self.residualRank = residualRank }

    func needsEarlier(_ module: ModuleRound) -> Bool { mean.needsEarlier(module) }

    func mergeRank(_ module: ModuleRound) -> Int? {
        let rank =
            ComponentSum.rank(of: module.coefficients(.padded).ofClients)
            + module.coefficients(.reached).isCovered.count { $0 }
        guard rank > 0 else { return nil }
        return residualRank ?? rank
    }

    func publish(_ module: ModuleRound, earlier: ModuleFactors?) throws -> ModuleResult {
        var result = try mean.publish(module, earlier: earlier)
        guard let rank = mergeRank(module) else { return result }
        let covered = module.coefficients(.reached).isCovered
        var residual = ComponentSum(module, .padded)
        residual.add(result.factors, times: covered.map { $0 ? -module.scale : 0 })
        // The adapter's bias already is the whole mean.
        let bias = module.shape.hasBias ? module.shape.noBias : nil
        if residualRank != nil {
            let cut = try residual.truncated(toRank: rank).factors
            residual = ComponentSum(shape: module.shape)
            residual.add(cut, times: [Double](repeating: 1, count: cut.rank))
        }
        result.merge = residual.stacked(bias: bias)
        return result
    }
}
