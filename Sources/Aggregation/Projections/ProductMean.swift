import AdapterFormat

/// Publishes the best approximation of the clients' mean product: A = Vᵀ, B = U·Σ / s_R.
///
/// This is `flexlora` (arXiv 2402.11505) under `padded` and `raflora` (arXiv 2602.13486) under `reached`. A component
/// that the product cannot fill gets a drawn A and a zero B, so that it can still learn. A module that no client holds
/// stays unchanged.
struct ProductMean: Projection {
    let coverage: Coverage

    func needsEarlier(_ module: ModuleRound) -> Bool { !module.isHeld }

    func publish(_ module: ModuleRound, earlier: ModuleFactors?) throws -> ModuleResult {
        let rank = module.shape.maximumRank
        guard module.isHeld else {
            return ModuleResult(factors: earlier ?? ModuleFactors(zeroOf: module.shape, rank: rank))
        }
        let bias = module.shape.hasBias ? module.meanBias(earlier: earlier) : nil
        var (factors, filled) = try ComponentSum(module, coverage).truncated(toRank: rank, bias: bias)
        let unit = Float(1 / module.scale)
        for index in factors.b.indices { factors.b[index] *= unit }
        if filled < rank {
            let fresh = module.fresh.draw(module.shape, rank: rank)
            factors.a.replaceSubrange(
                (filled * factors.inputs)..., with: fresh.a[(filled * factors.inputs)...])
        }
        return ModuleResult(factors: factors)
    }
}
