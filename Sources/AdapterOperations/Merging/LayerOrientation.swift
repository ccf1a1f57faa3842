import AdapterFormat

/// The orientation in which a model stores the matrix of a linear layer.
enum LayerOrientation {
    /// (outputs × inputs), as in PyTorch's Linear.
    case outputsFirst
    /// (inputs × outputs), as in GPT-2's Conv1D (PEFT's `fan_in_fan_out`) and in every embedding.
    case inputsFirst
}

extension Checkpoint {
    /// The orientation of a linear layer's weight; nil where its dimensions are not those of the adapter.
    ///
    /// Where both dimensions are equal, the biases of other layers decide, because a bias is as long as the outputs. If
    /// they do not decide, the adapter's `fan_in_fan_out` does, and then the model's kind.
    ///
    /// - Throws: where these contradict each other.
    func orientation(
        of weight: CheckpointFile.Tensor, inputs: Int, outputs: Int, fanInFanOut: Bool, adapter: String
    ) throws(AdapterFileError) -> LayerOrientation? {
        guard inputs == outputs else {
            if weight.shape == [outputs, inputs] { return .outputsFirst }
            return weight.shape == [inputs, outputs] ? .inputsFirst : nil
        }
        guard weight.shape == [outputs, inputs] else { return nil }
        let usual = Self.modelsOfConv1D.contains(facts.modelType ?? "") ? LayerOrientation.inputsFirst : .outputsFirst
        guard let seen = orientation(besides: weight.name) else { return fanInFanOut ? .inputsFirst : usual }
        if fanInFanOut, seen == .outputsFirst {
            throw .adapter(
                file: adapter,
                reason: "its configuration says fan_in_fan_out, and the layers of \(path) are (outputs × inputs): "
                    + "how \(weight.name), which is square, lies cannot be told")
        }
        return seen
    }

    /// The transformers models that consist of Conv1D layers.
    private static let modelsOfConv1D: Set<String> = ["gpt2", "openai-gpt", "ctrl", "imagegpt", "decision_transformer"]

    /// The orientation that biases of other layers show: layers of the same name where these agree, else all layers.
    private func orientation(besides weight: String) -> LayerOrientation? {
        let layer = weight.split(separator: ".").dropLast().last
        var alike: Set<LayerOrientation> = []
        var all: Set<LayerOrientation> = []
        for shard in shards {
            for tensor in shard.file.tensors
            where tensor.name.hasSuffix(".weight") && tensor.shape.count == 2 && tensor.shape[0] != tensor.shape[1] {
                let path = tensor.name.dropLast(".weight".count)
                guard let bias = self[path + ".bias"], bias.shape.count == 1 else { continue }
                let found: LayerOrientation
                if bias.shape[0] == tensor.shape[0] {
                    found = .outputsFirst
                } else if bias.shape[0] == tensor.shape[1] {
                    found = .inputsFirst
                } else {
                    continue
                }
                all.insert(found)
                if path.split(separator: ".").last == layer { alike.insert(found) }
            }
        }
        return alike.count == 1 ? alike.first : all.count == 1 ? all.first : nil
    }
}
