import AdapterFormat
import AdapterOperations
import LinearAlgebra

/// The frozen model that a federation adapts, for others to build on.
package struct BaseModel {
    private let base: any FrozenModel

    /// - Parameters:
    ///   - model: such as `mlp-64-200-200-10`.
    ///   - seed: draws its weights.
    package init(model: String, seed: UInt64) throws(TrainingError) {
        base = try NativeModel(name: model, seed: seed).base
    }

    /// Writes `fc1.weight` (outputs × inputs), `fc1.bias`, `fc2.weight` and so on as a safetensors file of F32.
    package func write(to path: String) throws(TrainingError) {
        let tensors = base.tensors
        try TrainingError.converting { () throws(AdapterFileError) in
            try WholeFile.replace(path) { descriptor in
                let layout = try SafetensorsLayout(
                    tensors: tensors.map { .init(name: $0.name, type: .f32, shape: $0.tensor.shape) })
                var writer = try SafetensorsWriter(layout: layout, descriptor: descriptor)
                for (name, tensor) in tensors { try writer.write(tensor.values, to: name) }
                try writer.finish()
            }
        }
    }
}
