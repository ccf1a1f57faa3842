import AdapterFormat
import LinearAlgebra

/// Publishes the factors' mean with B corrected towards the mean of the products: `lora-fair` (arXiv 2411.14961).
///
/// B = G_B + E·G_Aᵀ·(G_A·G_Aᵀ + λI)⁻¹ with E = P/s_R − G_B·G_A, in the closed form of its Frobenius objective.
struct RefinedMean: Projection {
    /// λ
    let ridge: Double
    private let mean = FactorMean(coverage: .reached)

    init(ridge: Double) { self.ridge = ridge }

    func needsEarlier(_ module: ModuleRound) -> Bool { mean.needsEarlier(module) }

    func publish(_ module: ModuleRound, earlier: ModuleFactors?) throws -> ModuleResult {
        var result = try mean.publish(module, earlier: earlier)
        guard module.isHeld else { return result }
        // The whole equation times s_R, so that the round's own sum can be used: E·s_R = P − s_R·G_B·G_A.
        var error = ComponentSum(module, .padded)
        error.add(result.factors, times: [Double](repeating: -module.scale, count: result.factors.rank))
        let correction = try error.withStack { stack in
            try result.factors.a.withUnsafeBufferPointer { a in
                try ridgeCorrection(
                    of: stack, along: MatrixView(a, rows: result.factors.rank, columns: result.factors.inputs),
                    ridge: ridge)
            }
        }
        let unit = Float(1 / module.scale)
        for index in correction.indices { result.factors.b[index] += unit * correction[index] }
        return result
    }
}
