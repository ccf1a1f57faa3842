/// How the scale of an adapter's product follows from its rank.
package enum Scaling: Sendable, Hashable {
    /// The same scale at every rank.
    case constant(Double)
    /// alpha / r.
    case lora(alpha: Double)
    /// alpha / √r.
    case rslora(alpha: Double)

    /// - Precondition: `rank` is at least 1.
    package func scale(atRank rank: Int) -> Double {
        switch self {
        case .constant(let value): value
        case .lora(let alpha): alpha / Double(rank)
        case .rslora(let alpha): alpha / Double(rank).squareRoot()
        }
    }

    /// The factor for a B trained or stored at one rank, so that it stands for the same product at another rank.
    package func ratio(fromRank rank: Int, toRank other: Int) -> Double {
        switch self {
        case .constant: 1
        case .lora, .rslora: rank == other ? 1 : scale(atRank: rank) / scale(atRank: other)
        }
    }

    /// The scaling of a module, which may have an alpha of its own.
    package func of(_ module: ModuleShape) -> Scaling { with(alpha: module.alpha) }

    /// The same rule with another alpha, if there is one; a constant scale has no alpha.
    package func with(alpha: Double?) -> Scaling {
        switch (self, alpha) {
        case (.lora, let alpha?): .lora(alpha: alpha)
        case (.rslora, let alpha?): .rslora(alpha: alpha)
        case (.constant, _), (_, nil): self
        }
    }
}
