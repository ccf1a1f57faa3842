import AdapterFormat

/// The file of a BERT model's weights, read tensor by tensor and checked against the model's configuration.
struct BertWeights {
    private let file: SafetensorsFile
    private let path: String
    private let configuration: BertConfiguration
    /// The prefix of the encoder's tensors in files of a model with a head.
    private let prefix: String

    init(path: String, _ configuration: BertConfiguration) throws(TrainingError) {
        self.path = path
        self.configuration = configuration
        do throws(SafetensorsError) {
            file = try SafetensorsFile(path: path, passesOver: true)
        } catch {
            throw .model(path, reason: "\(error)")
        }
        prefix = file["bert.embeddings.word_embeddings.weight"] == nil ? "" : "bert."
    }

    func view(_ name: String, _ shape: [Int]) throws(TrainingError) -> TensorView {
        guard let tensor = file[prefix + name] ?? file[prefix + Self.oldName(name)] else {
            throw .model(path, reason: "it lacks \(prefix)\(name)")
        }
        guard tensor.shape == shape else {
            throw .model(path, reason: "\(prefix)\(name) is of shape \(tensor.shape); expected \(shape)")
        }
        guard tensor.notFiniteCount() == 0 else {
            throw .model(path, reason: "\(prefix)\(name) holds numbers that are not finite")
        }
        return tensor
    }

    func tensor(_ name: String, _ shape: [Int]) throws(TrainingError) -> FrozenTensor {
        FrozenTensor(shape: shape, try view(name, shape).floats())
    }

    func norm(_ name: String) throws(TrainingError) -> LayerNorm {
        LayerNorm(
            gain: try tensor(name + ".weight", [configuration.hidden]),
            shift: try tensor(name + ".bias", [configuration.hidden]),
            epsilon: configuration.epsilon)
    }

    /// The classifier's weight and bias, where the file has a head.
    func head() throws(TrainingError) -> [String: TensorView] {
        var head: [String: TensorView] = [:]
        for name in [BertBase.weightName, BertBase.biasName] {
            guard let tensor = file[name] else { continue }
            guard tensor.notFiniteCount() == 0 else {
                throw .model(path, reason: "\(name) holds numbers that are not finite")
            }
            head[name] = tensor
        }
        return head
    }

    /// The embeddings of positions plus the first segment's, which is the only segment used.
    func positions() throws(TrainingError) -> FrozenTensor {
        let shape = [configuration.positions, configuration.hidden]
        var values = try view("embeddings.position_embeddings.weight", shape).floats()
        let segments = max(1, file[prefix + "embeddings.token_type_embeddings.weight"]?.shape.first ?? 2)
        let segment = try view("embeddings.token_type_embeddings.weight", [segments, configuration.hidden]).floats()
        for index in values.indices { values[index] += segment[index % configuration.hidden] }
        return FrozenTensor(shape: shape, values)
    }

    /// Query, key and value.
    func projections(ofLayer index: Int) throws(TrainingError) -> [FrozenLayer] {
        var layers: [FrozenLayer] = []
        for part in Self.parts {
            let name = "encoder.layer.\(index).attention.self.\(part)"
            let weight = try tensor(name + ".weight", [configuration.hidden, configuration.hidden])
            layers.append(FrozenLayer(name: "bert." + name, weight: weight))
        }
        return layers
    }

    func layer(_ index: Int) throws(TrainingError) -> BertEncoder.Layer {
        let name = "encoder.layer.\(index)."
        var biases: [FrozenTensor] = []
        for part in Self.parts {
            biases.append(try tensor(name + "attention.self.\(part).bias", [configuration.hidden]))
        }
        return BertEncoder.Layer(
            biases: biases,
            attentionOutput: try tensor(
                name + "attention.output.dense.weight", [configuration.hidden, configuration.hidden]),
            attentionOutputBias: try tensor(name + "attention.output.dense.bias", [configuration.hidden]),
            attentionNorm: try norm(name + "attention.output.LayerNorm"),
            intermediate: try tensor(
                name + "intermediate.dense.weight", [configuration.intermediate, configuration.hidden]),
            intermediateBias: try tensor(name + "intermediate.dense.bias", [configuration.intermediate]),
            output: try tensor(name + "output.dense.weight", [configuration.hidden, configuration.intermediate]),
            outputBias: try tensor(name + "output.dense.bias", [configuration.hidden]),
            outputNorm: try norm(name + "output.LayerNorm"))
    }

    private static let parts = ["query", "key", "value"]

    /// The name of a normalisation's tensors in the first published BERT models.
    private static func oldName(_ name: String) -> String {
        if name.hasSuffix("LayerNorm.weight") { return name.dropLast("weight".count) + "gamma" }
        if name.hasSuffix("LayerNorm.bias") { return name.dropLast("bias".count) + "beta" }
        return name
    }
}
