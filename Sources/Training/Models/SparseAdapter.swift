import AdapterFormat
import AdapterOperations
import LinearAlgebra

/// Applies the file of a sparse stage to a model's layers, and writes the trained layers as a file.
///
/// The file has one tensor per module, `base_model.model.MODULE.sparse_delta`: W − W₀ at the indices of the module's
/// `SparseMask`, in their order.
struct SparseAdapter {
    private static let suffix = ".sparse_delta"
    private let file: SafetensorsFile
    private let path: String
    private let density: Double
    private let seed: UInt64

    init(path: String, stage: TrainingPlan.Stage) throws(TrainingError) {
        guard stage.name == "sparse" else {
            throw .setting("stage", expected: "\"sparse\" or null", found: "\"\(stage.name)\"")
        }
        guard let density = stage.density, density > 0, density <= 1 else {
            let found = stage.density.map { "\($0)" } ?? "absent"
            throw .setting("stage.density", expected: "a number above 0, up to 1", found: found)
        }
        guard let seed = stage.seed else {
            throw .setting("stage.seed", expected: "a whole number", found: "absent")
        }
        self.path = path
        self.density = density
        self.seed = seed
        do {
            file = try SafetensorsFile(path: path)
        } catch {
            throw .adapter(file: path, reason: "\(error)")
        }
    }

    /// The layers with the file's differences added to the frozen weights. A layer may have no differences.
    func adapt(_ layers: [FrozenLayer]) throws(TrainingError) -> [AdaptedLayer] {
        var deltas: [String: [Float]] = [:]
        for tensor in file.tensors {
            let name = TensorName(parsing: tensor.name).bare
            guard let layer = layers.first(where: { $0.name + Self.suffix == name }) else {
                throw .adapter(file: path, reason: "\(name) is no sparse delta of a layer that the model has")
            }
            let count = SparseMask.count(outputs: layer.outputs, inputs: layer.inputs, density: density)
            guard tensor.shape == [count] else {
                throw .adapter(file: path, reason: "\(name) is of shape \(tensor.shape); the mask keeps \(count)")
            }
            guard tensor.notFiniteCount() == 0 else {
                throw .adapter(file: path, reason: "\(name) holds numbers that are not finite")
            }
            deltas[layer.name] = tensor.floats()
        }
        guard !deltas.isEmpty else { throw .adapter(file: path, reason: "it holds no sparse delta") }
        return layers.map { frozen in
            var layer = AdaptedLayer(frozen)
            guard let delta = deltas[frozen.name] else { return layer }
            let mask = SparseMask(
                seed: seed, module: frozen.name, outputs: frozen.outputs, inputs: frozen.inputs, density: density)
            layer.train(mask, delta: delta)
            return layer
        }
    }

    /// Writes the trained weights as a file of the same form.
    func write(_ layers: [AdaptedLayer], to output: String) throws(TrainingError) {
        let trained = layers.compactMap { layer in
            layer.sparse.map { (name: TensorName.dense(layer.name + Self.suffix).peft, delta: $0.delta) }
        }
        try TrainingError.converting { () throws(AdapterFileError) in
            try WholeFile.replace(output) { descriptor in
                let layout = try SafetensorsLayout(
                    tensors: trained.map { .init(name: $0.name, type: .f32, shape: [$0.delta.columns]) })
                var writer = try SafetensorsWriter(layout: layout, descriptor: descriptor)
                for (name, delta) in trained { try writer.write(Array(delta.values.floats), to: name) }
                try writer.finish()
            }
        }
    }
}
