import LinearAlgebra

extension PerceptronBase {
    package func stepOperations(ranks: [Int], batch: Int, length: Int) -> Double {
        PerceptronShape.stepOperations(of: shape.layers, ranks: ranks[...], batch: batch, isLowest: true)
    }
}

extension PerceptronShape {
    /// The operations of linear layers with LoRA.
    ///
    /// - Parameter isLowest: whether no layer below the first of them is trained.
    static func stepOperations(of layers: [Layer], ranks: ArraySlice<Int>, batch: Int, isLowest: Bool) -> Double {
        zip(layers, ranks).enumerated().reduce(0) { sum, layer in
            let (inputs, outputs, rank) = (layer.element.0.inputs, layer.element.0.outputs, layer.element.1)
            let down = MatrixProduct.operations(batch, inputs, rank)
            let up = MatrixProduct.operations(batch, rank, outputs)
            let frozen = MatrixProduct.operations(batch, inputs, outputs)
            let below = isLowest && layer.offset == 0 ? 0 : frozen + down
            // x·Wᵀ, x·Aᵀ and h·Bᵀ; the gradients of B, h and A; that of x.
            return sum + (frozen + down + up) + (2 * up + down) + below
        }
    }
}
