import AdapterFormat
import AdapterOperations
import LinearAlgebra

/// Applies an adapter file to a model's layers, and writes the trained layers as a file.
struct ModelAdapter {
    let file: AdapterFile
    private let path: String

    init(path: String) throws(TrainingError) {
        self.path = path
        file = try TrainingError.converting { () throws(AdapterFileError) in try AdapterFile(path: path) }
    }

    /// The layers with the file's factors, checked against the model. A layer may have no factors.
    ///
    /// - Parameters:
    ///   - base: the model. Where it computes magnitudes, a layer gets the file's; where the plan has them and the file does
    ///     not, they begin as the norms of the layer's rows.
    ///   - layers: the model's, with the round's merge.
    ///   - plan: nil where the model is only scored.
    func adapt(
        of base: some FrozenModel, _ layers: [FrozenLayer], scales: [String: Double], plan: TrainingPlan? = nil
    ) throws(TrainingError) -> [AdaptedLayer] {
        try checkModules(of: layers)
        if base.computesDoRA { try checkMagnitudes() }
        var adapted: [AdaptedLayer] = []
        for layer in layers {
            guard let factors = try factors(of: layer, mayHaveBias: base.computesLoRABias) else {
                adapted.append(AdaptedLayer(layer))
                continue
            }
            guard let scale = scales[layer.name] else {
                throw .adapter(file: path, reason: "the plan gives no scale for \(layer.name)")
            }
            var adaptedLayer = AdaptedLayer(layer, lora: LoRALayer(factors, scale: scale))
            if base.computesDoRA, let values = try magnitudes(of: layer, plan) {
                guard factors.bias == nil else {
                    throw .adapter(
                        file: path, reason: "\(layer.name) has a LoRA bias beside DoRA's magnitude; PEFT has no such")
                }
                adaptedLayer.magnitude = TrainedTensor(values, rows: 1, columns: layer.outputs)
            }
            adapted.append(adaptedLayer)
        }
        return adapted
    }

    /// Throws where there are magnitudes of a module without factors.
    private func checkMagnitudes() throws(TrainingError) {
        for tensor in file.dense where tensor.name.hasSuffix(TensorName.magnitude) {
            let module = String(tensor.name.dropLast(TensorName.magnitude.count))
            guard file[module: module] != nil else {
                throw .adapter(file: path, reason: "it holds \(tensor.name), and no factors of \(module)")
            }
        }
    }

    /// nil where the layer has none.
    private func magnitudes(of layer: FrozenLayer, _ plan: TrainingPlan?) throws(TrainingError) -> [Float]? {
        let name = layer.name + TensorName.magnitude
        if let values = file[dense: name]?.values {
            guard values.shape == [layer.outputs] else {
                throw .adapter(
                    file: path, reason: "\(name) is of shape \(values.shape); the model has [\(layer.outputs)]")
            }
            return values.floats()
        }
        return plan?.dense?[name] == nil ? nil : WeightDirections.norms(of: layer.rows)
    }

    /// Whether a tensor goes with a layer, and not with the model's head.
    private static func isOfLayer(_ name: String, _ base: some FrozenModel) -> Bool {
        base.computesDoRA && name.hasSuffix(TensorName.magnitude)
    }

    /// The tensors that the model trains in full, checked against its shapes. Values come from the file, else from the
    /// base, else they are drawn by the plan's seed. A tensor that the model does not train is refused.
    ///
    /// - Parameter plan: nil where the model is only scored. Then nothing is drawn, and a tensor without values is left
    ///   out.
    func dense(of base: some FrozenModel, plan: TrainingPlan? = nil) throws(TrainingError) -> [DenseTensor] {
        for tensor in file.dense
        where !Self.isOfLayer(tensor.name, base) && !base.dense.contains(where: { $0.name == tensor.name }) {
            throw .adapter(file: path, reason: "it holds \(tensor.name), which \(Self.reason(for: tensor.name))")
        }
        var found: [DenseTensor] = []
        for (name, shape) in base.dense {
            guard let values = try values(of: name, shape, base, plan) else { continue }
            found.append(DenseTensor(name: name, shape: shape, values: values))
        }
        return found
    }

    /// Throws where the federation trains tensors that the model does not train.
    static func check(_ plan: TrainingPlan, of base: some FrozenModel) throws(TrainingError) {
        for (name, shape) in (plan.dense ?? [:]).sorted(by: { $0.key < $1.key }) {
            if isOfLayer(name, base) {
                let module = String(name.dropLast(TensorName.magnitude.count))
                guard plan.ranks[module] != nil else {
                    throw .setting("dense", expected: "magnitudes of modules with factors", found: name)
                }
                continue
            }
            guard let own = base.dense.first(where: { $0.name == name }) else {
                throw .setting(
                    "dense", expected: "what this model trains", found: "\(name), which \(reason(for: name))")
            }
            guard own.shape == shape else {
                throw .setting("dense", expected: "\(name) of shape \(own.shape)", found: "\(name) of shape \(shape)")
            }
        }
    }

    /// nil where the federation has no such tensor, or no values exist for it.
    private func values(
        of name: String, _ shape: [Int], _ base: some FrozenModel, _ plan: TrainingPlan?
    ) throws(TrainingError) -> [Float]? {
        if let values = file[dense: name]?.values {
            guard values.shape == shape else {
                throw .adapter(file: path, reason: "\(name) is of shape \(values.shape); the model has \(shape)")
            }
            return values.floats()
        }
        // An older server's plan does not name tensors that the adapter lacks; then the federation has none of them.
        if let plan, plan.dense?[name] == nil { return nil }
        if let own = base.ownDense(name) {
            guard own.shape == shape else {
                throw .model(name, reason: "its shape is \(own.shape) in the base; the federation has \(shape)")
            }
            return own.values
        }
        return plan.map { DenseTensor.drawn(name, shape, seed: $0.federationSeed) }
    }

    /// Why native models do not train a tensor beside the factors.
    private static func reason(for name: String) -> String {
        if name.hasSuffix(TensorName.magnitude) { return "is DoRA's magnitude: native models compute plain LoRA" }
        if name.hasSuffix(TensorName.trainedTokens) { return "are rows of an embedding: native models adapt none" }
        return "native models do not train: the model has no such tensor beside its layers"
    }

    /// Adds the adapter's products, at scale 1, to the layers' weights.
    func merge(into layers: inout [FrozenLayer]) throws(TrainingError) {
        if let tensor = file.dense.first {
            throw .adapter(file: path, reason: "it holds \(tensor.name); a merge has LoRA factors alone")
        }
        try checkModules(of: layers)
        for index in layers.indices {
            guard let factors = try factors(of: layers[index]) else { continue }
            layers[index].add(factors)
        }
    }

    /// Writes the trained factors that the client sends, and the tensors trained in full.
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
            guard layer.isTrained, let trained = layer.lora else { continue }
            let shape = ModuleShape(
                name: layer.name, kind: layer.frozen.kind, inputs: layer.inputs, outputs: layer.outputs,
                maximumRank: trained.rank)
            if factors.contains(.a) { put(shape.nameOfA, shape.shapeOfA(rank: trained.rank)) { trained.factors.a } }
            if factors.contains(.b) {
                put(shape.nameOfB, shape.shapeOfB(rank: trained.rank)) { trained.factors.outputMajorB() }
            }
            if factors.contains(.b), let bias = trained.bias {
                put(shape.nameOfBias, [layer.outputs]) { Array(bias.values.floats) }
            }
            if let magnitude = layer.magnitude {
                put(.dense(layer.name + TensorName.magnitude), [layer.outputs]) { Array(magnitude.values.floats) }
            }
        }
        for tensor in dense { put(.dense(tensor.name), tensor.shape) { tensor.values } }
        try TrainingError.converting { () throws(AdapterFileError) in
            try WholeFile.replace(output) { descriptor in
                var writer = try SafetensorsWriter(
                    layout: try SafetensorsLayout(tensors: tensors), descriptor: descriptor)
                for (name, values) in contents { try writer.write(values(), to: name) }
                try writer.finish()
            }
        }
    }

    private func checkModules(of layers: [FrozenLayer]) throws(TrainingError) {
        for module in file.modules where !layers.contains(where: { $0.name == module.name }) {
            throw .adapter(file: path, reason: "it adapts \(module.name), which the model has not")
        }
    }

    private func factors(of layer: FrozenLayer, mayHaveBias: Bool = false) throws(TrainingError) -> ModuleFactors? {
        guard let module = file[module: layer.name] else { return nil }
        guard let shape = module.shape, let factors = ModuleFactors(module) else {
            throw .adapter(file: path, reason: "\(layer.name) lacks a factor")
        }
        guard mayHaveBias || !shape.hasBias else {
            throw .adapter(
                file: path,
                reason: "\(layer.name) has a LoRA bias; native models compute one in language models' adapters alone")
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
