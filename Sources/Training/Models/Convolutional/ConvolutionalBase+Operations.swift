import LinearAlgebra

extension ConvolutionalBase {
    /// The factors of a convolution are multiplied once per batch.
    package func stepOperations(ranks: [Int], batch: Int, length: Int) -> Double {
        let convolutions = zip(shape.convolutions, ranks).enumerated().reduce(0.0) { sum, element in
            let (layer, rank) = element.element
            let factors = MatrixProduct.operations(layer.outputs, rank, layer.inputs)
            let image = MatrixProduct.operations(layer.outputs, layer.inputs, batch * layer.height * layer.width)
            return sum + 3 * factors + image * (element.offset == 0 ? 2 : 3)
        }
        return convolutions
            + PerceptronShape.stepOperations(
                of: shape.linear, ranks: ranks.dropFirst(shape.convolutions.count), batch: batch, isLowest: false)
    }
}
