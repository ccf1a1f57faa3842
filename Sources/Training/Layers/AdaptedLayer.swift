import LinearAlgebra

/// A frozen layer with its trained parts in a round: LoRA factors, a few weights, all weights, or nothing.
package struct AdaptedLayer {
    package internal(set) var frozen: FrozenLayer
    /// nil where the adapter has none for this layer.
    var lora: LoRALayer?
    /// DoRA's magnitudes (1 × outputs) beside `lora`; nil for plain LoRA.
    var magnitude: TrainedTensor?
    /// Whether `lora` is trained; else it is only computed.
    var isTrained = true
    /// nil where none of its weights is trained; the trained weights are a part of `frozen.weight`.
    var sparse: SparseLayer?
    /// (outputs × inputs) and (outputs), where the whole layer is trained. They are `frozen.weight` and the layer's
    /// bias.
    private(set) var full: (weight: TrainedTensor, bias: TrainedTensor)?

    init(_ frozen: FrozenLayer, lora: LoRALayer? = nil) {
        self.frozen = frozen
        self.lora = lora
    }

    /// Trains the weights that `mask` keeps, in a copy of the layer's weights. They begin at W₀ + `delta`.
    ///
    /// - Precondition: that of `SparseLayer.init`.
    mutating func train(_ mask: SparseMask, delta: [Float]) {
        let weight = frozen.weight.copy()
        frozen.weight = FrozenTensor(shape: frozen.weight.shape, block: weight)
        sparse = SparseLayer(mask: mask, delta: delta, weight: weight, inputs: inputs)
    }

    /// Trains the whole layer, in copies that begin with these numbers.
    ///
    /// - Precondition: there are as many numbers as the layer's weight and bias have.
    mutating func train(weight: [Float], bias: [Float]) {
        let tensor = TrainedTensor(weight, rows: outputs, columns: inputs)
        frozen.weight = FrozenTensor(shape: frozen.weight.shape, block: tensor.values)
        full = (tensor, TrainedTensor(bias, rows: 1, columns: outputs))
    }

    /// The same layer with gradients of its own, for another part of the batch.
    var replica: AdaptedLayer {
        var replica = self
        replica.lora = lora?.replica
        replica.magnitude = magnitude?.replica
        replica.sparse = sparse?.replica
        replica.full = full.map { ($0.weight.replica, $0.bias.replica) }
        return replica
    }

    /// The trained tensors of the layer, always in the same order.
    func trained(_ factors: Set<TrainingPlan.Factor>) -> [TrainedTensor] {
        var tensors: [TrainedTensor] = []
        if isTrained, let lora {
            tensors += TrainingPlan.Factor.allCases.filter(factors.contains).map { lora[$0] }
            if factors.contains(.b), let bias = lora.bias { tensors.append(bias) }
        }
        if isTrained, let magnitude { tensors.append(magnitude) }
        if let sparse { tensors.append(sparse.delta) }
        if let full { tensors += [full.weight, full.bias] }
        return tensors
    }

    package var name: String { frozen.name }
    package var inputs: Int { frozen.inputs }
    package var outputs: Int { frozen.outputs }

    var isFinite: Bool {
        trained([.a, .b]).allSatisfy(\.isFinite)
    }
}
