import AdapterFormat

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
        try checkModules(of: shape)
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
        try checkModules(of: base.shape)
        for (layer, weights) in zip(base.shape.layers, base.layers) {
            guard let factors = try factors(of: layer) else { continue }
            weights.add(factors)
        }
    }

    private func checkModules(of shape: PerceptronShape) throws(TrainingError) {
        for module in file.modules where !shape.layers.contains(where: { $0.name == module.name }) {
            throw .adapter(file: path, reason: "it adapts \(module.name), which the model has not")
        }
    }

    /// Writes the trained factors that are to be sent, and the file's dense tensors as they were.
    func write(
        _ layers: [LoRALayer?], of shape: PerceptronShape, sending factors: Set<TrainingPlan.Factor>,
        to output: String
    ) throws(TrainingError) {
        var tensors: [SafetensorsLayout.Tensor] = []
        var contents: [(name: String, values: () -> [Float])] = []
        func put(_ name: TensorName, _ shape: [Int], _ values: @escaping () -> [Float]) {
            tensors.append(.init(name: name.peft, type: .f32, shape: shape))
            contents.append((name.peft, values))
        }
        for (layer, trained) in zip(shape.layers, layers) {
            guard let trained else { continue }
            if factors.contains(.a) {
                put(.factorA(module: layer.name, embedding: false), [trained.rank, layer.inputs]) { trained.factors.a }
            }
            if factors.contains(.b) {
                put(.factorB(module: layer.name, embedding: false), [layer.outputs, trained.rank]) {
                    trained.factors.outputMajorB()
                }
            }
        }
        for tensor in file.dense { put(.dense(tensor.name), tensor.values.shape) { tensor.values.floats() } }
        try WholeFile.replace(output) { descriptor in
            var writer = try SafetensorsWriter(
                layout: try SafetensorsLayout(tensors: tensors), descriptor: descriptor)
            for (name, values) in contents { try writer.write(values(), to: name) }
            try writer.finish()
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
