import AdapterFormat
import AdapterOperations
import LinearAlgebra

extension NativeModel {
    /// Writes every weight, such as `fc1.weight` (outputs × inputs) and `fc1.bias`, as a safetensors file of F32.
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
