import AdapterFormat

/// The norms of the components that pruning would remove from an adapter.
package struct PrunedComponentNorms: Sendable, Hashable {
    /// ‖B[:, g:]‖·‖A[g:, :]‖ with g = ⌊γ·r⌋, of each module that has both factors and a tail.
    package let modules: [String: Double]

    /// Reads an adapter file, one module at a time; blocks.
    package init(of path: String, pruning: RankPruning) throws(AdapterFileError) {
        let file = try AdapterFile(path: path)
        var norms: [String: Double] = [:]
        for module in file.modules {
            guard let kept = pruning.kept(ofRank: module.rank), let factors = ModuleFactors(module) else { continue }
            norms[module.name] =
                Self.norm(factors.a[(kept * factors.inputs)...]) * Self.norm(factors.b[(kept * factors.outputs)...])
        }
        modules = norms
    }

    /// Whether the sum of the norms is smaller, over the modules that both have.
    package func isBelow(_ received: PrunedComponentNorms) -> Bool {
        var (before, after) = (0.0, 0.0)
        for (module, norm) in received.modules {
            guard let now = modules[module] else { continue }
            before += norm
            after += now
        }
        return after < before
    }

    private static func norm(_ values: ArraySlice<Float>) -> Double {
        values.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
    }
}
