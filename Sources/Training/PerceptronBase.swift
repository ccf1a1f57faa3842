import AdapterFormat
import LinearAlgebra

/// The frozen weights of a multilayer perceptron, drawn from a seed alike on every machine.
///
/// Weights and biases of a layer are uniform in ±1/√inputs, as `torch.nn.Linear` draws them.
struct PerceptronBase {
    struct Layer {
        /// (outputs × inputs)
        let weight: FloatBlock
        /// (outputs)
        let bias: FloatBlock
    }

    let shape: PerceptronShape
    let layers: [Layer]

    init(shape: PerceptronShape, seed: UInt64) {
        self.shape = shape
        layers = shape.layers.map { layer in
            let weight = FloatBlock(count: layer.outputs * layer.inputs)
            let bias = FloatBlock(count: layer.outputs)
            let bound = 1 / Float(layer.inputs).squareRoot()
            for (block, part) in [(weight, "weight"), (bias, "bias")] {
                var generator = SeededGenerator(seed: seed, stream: "base model", layer.name, part)
                for index in block.floats.indices { block.floats[index] = generator.uniform(within: bound) }
            }
            return Layer(weight: weight, bias: bias)
        }
    }
}

extension PerceptronBase.Layer {
    /// W ← W + B·A.
    func add(_ merged: ModuleFactors) {
        merged.a.withUnsafeBufferPointer { a in
            merged.b.withUnsafeBufferPointer { b in
                MatrixProduct.accumulate(
                    into: weight.matrix(rows: merged.outputs, columns: merged.inputs), keep: 1,
                    MatrixView(b, rows: merged.rank, columns: merged.outputs), .transposed,
                    MatrixView(a, rows: merged.rank, columns: merged.inputs), .asGiven)
            }
        }
    }
}
