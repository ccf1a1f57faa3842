import LinearAlgebra

/// A tensor that is trained in full and is sent beside the factors, such as a classifier's weight.
package struct DenseTensor {
    /// The name in adapters, without PEFT's prefix.
    package let name: String
    package let shape: [Int]
    let tensor: TrainedTensor

    /// - Precondition: there are as many values as the shape holds, and it has at least one dimension.
    init(name: String, shape: [Int], values: [Float]) {
        self.name = name
        self.shape = shape
        tensor = TrainedTensor(values, rows: shape[0], columns: values.count / shape[0])
    }

    /// The first values of a tensor that the base lacks, such as a head's. As in BERT, weights are normal with a
    /// standard deviation of 0.02, and biases are zero. All clients draw the same numbers from the same seed and name.
    static func drawn(_ name: String, _ shape: [Int], seed: UInt64) -> [Float] {
        var generator = SeededGenerator(seed: seed, stream: "head", name)
        return (0..<shape.reduce(1, *)).map { _ in shape.count < 2 ? 0 : Float(0.02 * generator.normal()) }
    }

    private init(name: String, shape: [Int], tensor: TrainedTensor) {
        self.name = name
        self.shape = shape
        self.tensor = tensor
    }

    /// The same numbers with a gradient of their own, for another part of the batch.
    var replica: DenseTensor { DenseTensor(name: name, shape: shape, tensor: tensor.replica) }

    /// The present values.
    package var values: [Float] { Array(tensor.values.floats) }
}
