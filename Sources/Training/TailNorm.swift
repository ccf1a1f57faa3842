import AdapterFormat

/// How much an adapter makes of the components that a pruning would give up: Σ over modules of ‖B[:, g:]‖·‖A[g:, :]‖,
/// with g = ⌊γ·r⌋ of each module's rank r.
package struct TailNorm: Sendable, Hashable {
    /// Zero where no module has a tail.
    package let value: Double

    /// Reads an adapter file, one module at a time. A module with one factor has no product, so none of its tail counts.
    package init(of path: String, pruning: TrainingPlan.Pruning) throws(TrainingError) {
        let file: AdapterFile
        do {
            file = try AdapterFile(try SafetensorsFile(path: path))
        } catch {
            throw .adapter(file: path, reason: "\(error)")
        }
        var sum = 0.0
        for module in file.modules {
            guard let kept = pruning.kept(ofRank: module.rank), let factors = ModuleFactors(module) else { continue }
            sum += Self.norm(factors.a[(kept * factors.inputs)...]) * Self.norm(factors.b[(kept * factors.outputs)...])
        }
        value = sum
    }

    private static func norm(_ values: ArraySlice<Float>) -> Double {
        values.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
    }
}
