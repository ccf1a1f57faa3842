import AdapterFormat
import LinearAlgebra

/// An adapter file as what is trained on a model's layers, and back.
struct ModelAdapter {
    let file: AdapterFile
    private let path: String

    init(path: String) throws(TrainingError) {
        self.path = path
        file = try AdapterFile(trainingFile: path)
    }

    /// The layers with the file's factors on them, checked against the model; a layer may go without.
    func adapt(_ layers: [FrozenLayer], scales: [String: Double]) throws(TrainingError) -> [AdaptedLayer] {
        try checkModules(of: layers)
        var adapted: [AdaptedLayer] = []
        for layer in layers {
            guard let factors = try factors(of: layer) else {
                adapted.append(AdaptedLayer(layer))
                continue
            }
            guard let scale = scales[layer.name] else {
                throw .adapter(file: path, reason: "the plan gives no scale for \(layer.name)")
            }
            adapted.append(AdaptedLayer(layer, lora: LoRALayer(factors, scale: scale)))
        }
        return adapted
    }

    /// The file's tensors of these names, which are trained in full, checked against the shapes; refuses all others.
    ///
    /// - Parameter seed: draws those that the file lacks, as BERT's heads are drawn: weights normal with a deviation of 0.02,
    ///   biases zero; nil leaves them out.
    func dense(
        _ wanted: [(name: String, shape: [Int])], drawnFrom seed: UInt64? = nil
    ) throws(TrainingError) -> [DenseTensor] {
        for tensor in file.dense where !wanted.contains(where: { $0.name == tensor.name }) {
            throw .adapter(file: path, reason: "it holds \(tensor.name), which the model has not")
        }
        var found: [DenseTensor] = []
        for (name, shape) in wanted {
            guard let values = file[dense: name]?.values else {
                guard let seed else { continue }
                var generator = SeededGenerator(seed: seed, stream: "head", name)
                let values = (0..<shape.reduce(1, *)).map { _ in
                    shape.count < 2 ? 0 : Float(0.02 * generator.normal())
                }
                found.append(DenseTensor(name: name, shape: shape, values: values))
                continue
            }
            guard values.shape == shape else {
                throw .adapter(file: path, reason: "\(name) is of shape \(values.shape); the model has \(shape)")
            }
            found.append(DenseTensor(name: name, shape: shape, values: values.floats()))
        }
        return found
    }

    /// Adds the adapter's products, at scale 1, to the layers' weights.
    func merge(into layers: inout [FrozenLayer]) throws(TrainingError) {
        try checkModules(of: layers)
        for index in layers.indices {
            guard let factors = try factors(of: layers[index]) else { continue }
            layers[index].add(factors)
        }
    }

    /// Writes the trained factors that are to be sent, and what was trained in full.
    func write(
        _ layers: [AdaptedLayer], dense: [DenseTensor], sending factors: Set<TrainingPlan.Factor>, to output: String
    ) throws(TrainingError) {
        var tensors: [SafetensorsLayout.Tensor] = []
        var contents: [(name: String, values: () -> [Float])] = []
        func put(_ name: TensorName, _ shape: [Int], _ values: @escaping () -> [Float]) {
            tensors.append(.init(name: name.peft, type: .f32, shape: shape))
            contents.append((name.peft, values))
        }
        for layer in layers {
            guard let trained = layer.lora else { continue }
            let shape = ModuleShape(
                name: layer.name, kind: layer.frozen.kind, inputs: layer.inputs, outputs: layer.outputs,
                maximumRank: trained.rank)
            if factors.contains(.a) { put(shape.nameOfA, shape.shapeOfA(rank: trained.rank)) { trained.factors.a } }
            if factors.contains(.b) {
                put(shape.nameOfB, shape.shapeOfB(rank: trained.rank)) { trained.factors.outputMajorB() }
            }
        }
        for tensor in dense { put(.dense(tensor.name), tensor.shape) { tensor.values } }
        try WholeFile.replace(output) { descriptor in
            var writer = try SafetensorsWriter(
                layout: try SafetensorsLayout(tensors: tensors), descriptor: descriptor)
            for (name, values) in contents { try writer.write(values(), to: name) }
            try writer.finish()
        }
    }

    private func checkModules(of layers: [FrozenLayer]) throws(TrainingError) {
        for module in file.modules where !layers.contains(where: { $0.name == module.name }) {
            throw .adapter(file: path, reason: "it adapts \(module.name), which the model has not")
        }
    }

    private func factors(of layer: FrozenLayer) throws(TrainingError) -> ModuleFactors? {
        guard let module = file[module: layer.name] else { return nil }
        guard let shape = module.shape, let factors = ModuleFactors(module) else {
            throw .adapter(file: path, reason: "\(layer.name) lacks a factor")
        }
        guard !shape.hasBias else {
            throw .adapter(file: path, reason: "\(layer.name) has a LoRA bias, which the native trainer does not train")
        }
        guard shape.kind == layer.kind, shape.inputs == layer.inputs, shape.outputs == layer.outputs else {
            throw .adapter(
                file: path,
                reason: "\(layer.name) is \(Self.summary(shape.kind, shape.inputs, shape.outputs)); "
                    + "the model's is \(Self.summary(layer.kind, layer.inputs, layer.outputs))")
        }
        return factors
    }

    private static func summary(_ kind: ModuleShape.Kind, _ inputs: Int, _ outputs: Int) -> String {
        "\(kind) from \(inputs) to \(outputs)"
    }
}
