import AdapterFormat
import AdapterOperations

extension FullWeights {
    private static let (weight, bias) = (".weight", ".bias")

    /// Writes `fc1.weight` (outputs × inputs), `fc1.bias` and so on as a safetensors file of F32, as `NativeModel` does.
    package func write(to path: String) throws(TrainingError) {
        let tensors = layers.sorted { $0.key < $1.key }.flatMap { name, layer in
            [
                (name: name + Self.weight, shape: layer.shape, values: layer.weight),
                (name: name + Self.bias, shape: [layer.bias.count], values: layer.bias),
            ]
        }
        try TrainingError.converting { () throws(AdapterFileError) in
            try WholeFile.replace(path) { descriptor in
                let layout = try SafetensorsLayout(
                    tensors: tensors.map { .init(name: $0.name, type: .f32, shape: $0.shape) })
                var writer = try SafetensorsWriter(layout: layout, descriptor: descriptor)
                for tensor in tensors { try writer.write(tensor.values, to: tensor.name) }
                try writer.finish()
            }
        }
    }

    /// Reads a file that `write` wrote.
    package init(path: String) throws(TrainingError) {
        let file: SafetensorsFile
        do { file = try SafetensorsFile(path: path) } catch {
            throw .model(path, reason: "\(error)")
        }
        var layers: [String: Layer] = [:]
        for tensor in file.tensors where tensor.name.hasSuffix(Self.weight) {
            let name = String(tensor.name.dropLast(Self.weight.count))
            guard let bias = file[name + Self.bias] else { throw .model(path, reason: "it lacks \(name + Self.bias)") }
            layers[name] = Layer(shape: tensor.shape, weight: tensor.floats(), bias: bias.floats())
        }
        self.init(layers: layers)
    }
}
