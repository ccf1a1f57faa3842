import AdapterFormat
import StrictJSON

/// A model in a folder: `config.json` with `model.safetensors`, or with several files and `model.safetensors.index.json`.
struct SafetensorsFolder {
    let configuration: ModelConfiguration
    let files: [MappedFile]
    private let path: String
    /// Each file with its header, in the order of `files`.
    private let checkpoints: [CheckpointFile]
    /// The file that the index names for each tensor; nil where there is one file.
    private let placement: [String: Int]?

    /// The largest JSON document that is read.
    private static let documentLimit = 64 << 20

    init(path: String) throws(ModelFileError) {
        self.path = path
        let config = path + "/config.json"
        configuration = try ModelConfiguration(config: try Self.document(config), file: config)
        let index = path + "/model.safetensors.index.json"
        var names = ["model.safetensors"]
        if FilePresence.exists(index), !FilePresence.exists(path + "/model.safetensors") {
            let placement = try ShardIndex(try Self.document(index), file: index)
            names = placement.files
            for name in names where !FilePresence.exists(path + "/" + name) {
                throw .index(file: index, reason: "it names \(name.jsonQuoted), which is not in the folder")
            }
            self.placement = placement.tensors
        } else {
            self.placement = nil
        }
        var files: [MappedFile] = []
        var checkpoints: [CheckpointFile] = []
        for name in names {
            let file = try MappedFile(path + "/" + name)
            files.append(file)
            do throws(SafetensorsError) {
                checkpoints.append(try CheckpointFile(file.storage))
            } catch {
                throw .safetensors(file: file.path, error)
            }
        }
        self.files = files
        self.checkpoints = checkpoints
    }

    /// All tensors of the model, checked against the configuration.
    func tensors() throws(ModelFileError) -> [String: ModelTensor] {
        var found: [String: (file: Int, tensor: CheckpointFile.Tensor)] = [:]
        for (index, checkpoint) in checkpoints.enumerated() {
            for tensor in checkpoint.tensors {
                if let placement, placement[tensor.name] != index {
                    throw .index(
                        file: path + "/model.safetensors.index.json",
                        reason: "\(tensor.name.jsonQuoted) is in \(files[index].path), but not by the index")
                }
                found[tensor.name] = (index, tensor)
            }
        }
        for (name, index) in placement ?? [:] where found[name] == nil {
            throw .missingTensor(file: files[index].path, tensor: name, shape: [])
        }
        return try resolve(found)
    }

    private func resolve(
        _ found: [String: (file: Int, tensor: CheckpointFile.Tensor)]
    ) throws(ModelFileError) -> [String: ModelTensor] {
        var rest = found
        var tensors: [String: ModelTensor] = [:]
        for (name, shape) in configuration.tensors {
            // Models that were saved without their head have names without the first part.
            let bare = String(name[name.index(after: name.firstIndex(of: ".") ?? name.startIndex)...])
            guard let stored = [name, bare].first(where: { rest[$0] != nil }),
                let entry = rest.removeValue(forKey: stored)
            else { throw .missingTensor(file: path, tensor: name, shape: shape) }
            let file = files[entry.file]
            let isTransposed = configuration.isConv1D(name)
            let expected = isTransposed ? shape.reversed() : shape
            guard entry.tensor.shape == expected else {
                throw .shape(file: file.path, tensor: stored, expected: expected, found: entry.tensor.shape)
            }
            let type: StoredType
            switch entry.tensor.type {
            case .f32: type = .f32
            case .f16: type = .f16
            case .bf16: type = .bf16
            case .f64, nil: throw .type(file: file.path, tensor: stored, found: entry.tensor.dtype)
            }
            tensors[name] = ModelTensor(
                name: name, shape: shape, type: type, order: isTransposed ? .transposed : .plain,
                storage: file.storage, range: entry.tensor.range)
        }
        for (name, entry) in rest.sorted(by: { $0.key < $1.key }) where !configuration.mayCarry(name) {
            throw .unexpectedTensor(file: files[entry.file].path, tensor: name)
        }
        return tensors
    }

    static func document(_ path: String) throws(ModelFileError) -> JSONNode {
        let file = try MappedFile(path)
        guard file.storage.count <= documentLimit else {
            throw .configuration(
                file: path, reason: "it has \(file.storage.count) bytes; at most \(documentLimit) are read")
        }
        do throws(JSONSyntaxError) {
            return try file.storage.withBytes { bytes throws(JSONSyntaxError) in try JSONNode(parsing: bytes) }
        } catch {
            throw .json(file: path, error)
        }
    }
}

extension ModelConfiguration {
    /// Whether transformers stores this weight as (inputs × outputs).
    func isConv1D(_ name: String) -> Bool {
        architecture == .gpt2
            && (name.hasSuffix("attn.c_attn.weight") || name.hasSuffix("c_proj.weight")
                || name.hasSuffix("c_fc.weight"))
    }

    /// Whether a file may have this tensor without being asked for it: what is computed anew, or is another tensor's copy.
    fileprivate func mayCarry(_ name: String) -> Bool {
        switch architecture {
        case .gpt2:
            (isTied && name == "lm_head.weight") || name.hasSuffix(".attn.bias") || name.hasSuffix(".attn.masked_bias")
        case .llama, .qwen2, .qwen3: (isTied && name == "lm_head.weight") || name.hasSuffix(".rotary_emb.inv_freq")
        }
    }
}
