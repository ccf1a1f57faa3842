import LinearAlgebra

/// A frozen layer with what a round trains on it: LoRA factors, a few of its weights, or nothing.
package struct AdaptedLayer {
    package internal(set) var frozen: FrozenLayer
    /// Nil where the adapter has none for this layer.
    var lora: LoRALayer?
    /// Nil where none of its weights is trained; they are a part of `frozen.weight`.
    var sparse: SparseLayer?

    init(_ frozen: FrozenLayer, lora: LoRALayer? = nil) {
        self.frozen = frozen
        self.lora = lora
    }

    /// Trains the weights that `mask` keeps, from W₀ + `delta` on, in a copy of the layer's weights.
    ///
    /// - Precondition: as of `SparseLayer`.
    mutating func train(_ mask: SparseMask, delta: [Float]) {
        let weight = frozen.weight.copy()
        frozen.weight = FrozenTensor(shape: frozen.weight.shape, block: weight)
        sparse = SparseLayer(mask: mask, delta: delta, weight: weight, inputs: inputs)
    }

    package var name: String { frozen.name }
    package var inputs: Int { frozen.inputs }
    package var outputs: Int { frozen.outputs }

    var isFinite: Bool {
        (lora.map { $0.a.isFinite && $0.b.isFinite } ?? true) && (sparse?.delta.isFinite ?? true)
    }
}
