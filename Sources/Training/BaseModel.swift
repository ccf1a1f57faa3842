import AdapterFormat
import LinearAlgebra

/// The frozen model that a federation adapts, for others to build on.
package struct BaseModel {
    private let base: PerceptronBase

    /// - Parameters:
    ///   - model: such as `mlp-64-200-200-10`.
    ///   - seed: draws its weights.
    package init(model: String, seed: UInt64) throws(TrainingError) {
        base = PerceptronBase(shape: try PerceptronShape(name: model), seed: seed)
    }

    /// Writes `fc1.weight` (outputs × inputs), `fc1.bias`, `fc2.weight` and so on as a safetensors file of F32.
    package func write(to path: String) throws(TrainingError) {
        let tensors = zip(base.shape.layers, base.layers).flatMap { layer, weights in
            [
                (name: layer.name + ".weight", shape: [layer.outputs, layer.inputs], block: weights.weight),
                (name: layer.name + ".bias", shape: [layer.outputs], block: weights.bias),
            ]
        }
        try WholeFile.replace(path) { descriptor in
            let layout = try SafetensorsLayout(
                tensors: tensors.map { .init(name: $0.name, type: .f32, shape: $0.shape) })
            var writer = try SafetensorsWriter(layout: layout, descriptor: descriptor)
            for tensor in tensors { try writer.write(Array(tensor.block.floats), to: tensor.name) }
            try writer.finish()
        }
    }
}
