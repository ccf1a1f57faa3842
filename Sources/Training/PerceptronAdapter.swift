import AdapterFormat
import Glibc

/// An adapter file as the factors of a perceptron's layers, and back.
struct PerceptronAdapter {
    let file: AdapterFile
    private let path: String

    init(path: String) throws(TrainingError) {
        self.path = path
        do {
            file = try AdapterFile(try SafetensorsFile(path: path))
        } catch {
            throw .adapter(file: path, reason: "\(error)")
        }
    }

    /// The factors of every layer, checked against the model; nil for a layer that the adapter leaves out.
    func layers(of shape: PerceptronShape, scales: [String: Double]) throws(TrainingError) -> [LoRALayer?] {
        for module in file.modules where !shape.layers.contains(where: { $0.name == module.name }) {
            throw .adapter(file: path, reason: "it adapts \(module.name), which the model has not")
        }
        var layers: [LoRALayer?] = []
        for layer in shape.layers {
            guard let factors = try factors(of: layer) else {
                layers.append(nil)
                continue
            }
            guard let scale = scales[layer.name] else {
                throw .adapter(file: path, reason: "the plan gives no scale for \(layer.name)")
            }
            layers.append(LoRALayer(factors, scale: scale))
        }
        return layers
    }

    /// Adds the adapter's products, at scale 1, to the base's weights.
    func merge(into base: PerceptronBase) throws(TrainingError) {
        for (layer, weights) in zip(base.shape.layers, base.layers) {
            guard let factors = try factors(of: layer) else { continue }
            let merged = LoRALayer(factors, scale: 1)
            weights.add(merged, outputs: layer.outputs, inputs: layer.inputs)
        }
    }

    /// Writes the trained factors in place of the file's, everything else as it was, to a file that is complete or absent.
    func write(_ layers: [LoRALayer?], of shape: PerceptronShape, to output: String) throws(TrainingError) {
        let part = output + ".part"
        do {
            let adapter = try AdapterShape(template: file)
            let descriptor = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
            guard descriptor >= 0 else { throw SystemError.last("open") }
            defer { close(descriptor) }
            var writer = try AdapterWriter(shape: adapter, descriptor: descriptor)
            for (layer, trained) in zip(shape.layers, layers) {
                guard let trained, let module = adapter[module: layer.name] else { continue }
                try writer.take(trained.factors, of: module)
            }
            for tensor in adapter.dense {
                guard let values = file.values(of: tensor) else { continue }
                try writer.take(values, of: tensor)
            }
            try writer.finish()
            guard rename(part, output) == 0 else { throw SystemError.last("rename") }
        } catch {
            unlink(part)
            throw .file(output, reason: "\(error)")
        }
    }

    private func factors(of layer: PerceptronShape.Layer) throws(TrainingError) -> ModuleFactors? {
        guard let module = file[module: layer.name] else { return nil }
        guard let shape = module.shape, let factors = ModuleFactors(module) else {
            throw .adapter(file: path, reason: "\(layer.name) lacks a factor")
        }
        guard !shape.hasBias else {
            throw .adapter(file: path, reason: "\(layer.name) has a LoRA bias, which the native trainer does not train")
        }
        guard shape.kind == .linear, shape.inputs == layer.inputs, shape.outputs == layer.outputs else {
            throw .adapter(
                file: path,
                reason:
                    "\(layer.name) maps \(shape.inputs) to \(shape.outputs); the model maps \(layer.inputs) to \(layer.outputs)"
            )
        }
        return factors
    }
}
