import AdapterFormat

/// Publishes the clients' whole mean product as an exact merge, and a new adapter: `flora` (arXiv 2409.05976).
struct StackedMerge: Projection {
    func needsEarlier(_ module: ModuleRound) -> Bool { false }

    func mergeRank(_ module: ModuleRound) -> Int? {
        let rank = ComponentSum.rank(of: module.coefficients(.padded).ofClients)
        return rank > 0 ? rank : nil
    }

    func publish(_ module: ModuleRound, earlier: ModuleFactors?) -> ModuleResult {
        ModuleResult(
            factors: module.fresh.draw(module.shape, rank: module.shape.maximumRank),
            merge: ComponentSum(module, .padded).stacked(bias: module.mergedBias))
    }
}

/// Publishes as a merge the product of a drawn, frozen A and the mean of B, and a new adapter: `rac-lora` (arXiv
/// 2410.08305).
struct DrawnFactorMerge: Projection {
    private let mean = FactorMean(coverage: .reached, factors: .b)

    func needsEarlier(_ module: ModuleRound) -> Bool { true }

    func mergeRank(_ module: ModuleRound) -> Int? {
        let covered = coveredRows(module)
        return covered.isEmpty ? nil : covered.count
    }

    func publish(_ module: ModuleRound, earlier: ModuleFactors?) throws -> ModuleResult {
        let factors = try mean.publish(module, earlier: earlier).factors
        let covered = Set(coveredRows(module))
        var sum = ComponentSum(shape: module.shape)
        sum.add(factors, times: (0..<factors.rank).map { covered.contains($0) ? module.scale : 0 })
        return ModuleResult(
            factors: module.fresh.draw(module.shape, rank: module.shape.maximumRank),
            merge: sum.stacked(bias: module.mergedBias))
    }

    private func coveredRows(_ module: ModuleRound) -> [Int] {
        module.coefficients(.reached).isCovered.enumerated().filter(\.element).map(\.offset)
    }
}

extension ModuleRound {
    /// Σ_k p_k·s_k·bias_k; nil where the module has none.
    var mergedBias: [Float]? {
        guard shape.hasBias else { return nil }
        return isHeld ? meanBias(earlier: nil).map { $0 * Float(scale) } : shape.noBias
    }
}
