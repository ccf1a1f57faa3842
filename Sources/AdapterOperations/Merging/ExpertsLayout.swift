import AdapterFormat

/// The path of a module whose parameters have experts, without the wrappers that PEFT nests around it.
struct ExpertsPath {
    /// PEFT's path without `base_layer`.
    let path: String

    init(_ owner: String) {
        var path = owner[...]
        while path.hasSuffix(".base_layer") { path = path.dropLast(".base_layer".count) }
        self.path = String(path)
    }

    /// The layer of the model that contains the experts: `model.layers.3` for `model.layers.3.mlp.experts`.
    var layer: String {
        path.split(separator: ".").dropLast(2).joined(separator: ".")
    }
}

/// Where a model stores the parameter of experts to which a pair of packed factors belongs.
///
/// transformers holds a parameter as (experts × outputs × inputs), or with the last two dimensions exchanged. The files
/// of many models instead have one matrix for each expert. There, gate and up are separate matrices; in the parameter
/// they are stacked.
struct ExpertsLayout {
    struct Part {
        let module: AdapterFile.Module
        /// The tensor's name in the model's files.
        let tensor: String
        /// The module's outputs that are in this tensor.
        let outputs: Range<Int>
        /// The offset of the matrix in the tensor.
        let offset: Int
        let orientation: LayerOrientation
    }

    let parts: [Part]

    /// - Parameters:
    ///   - modules: the experts of one owner, in order.
    ///   - parameters: PEFT's `target_parameters`.
    /// - Throws: where the model has no parameter of this shape, or more than one.
    init(
        owner: String, modules: [AdapterFile.Module], parameters: [String], base: Checkpoint, names: ModuleNames,
        adapter: String
    ) throws(AdapterFileError) {
        let path = ExpertsPath(owner).path
        guard let shape = modules.first?.shape else {
            throw .adapter(file: adapter, reason: "\(owner) lacks one of its factors")
        }
        let inModel = names.inModel(path)
        var found: [(parameter: String, parts: [Part])] = []
        for parameter in Set(parameters.compactMap { Self.parameter($0, of: path) }).sorted() {
            if let tensor = base["\(inModel).\(parameter)"] {
                let orientations = Self.orientations(of: tensor.shape, modules.count, shape, base.facts.modelType)
                for orientation in orientations {
                    let parts = modules.enumerated().map { index, module in
                        Part(
                            module: module, tensor: tensor.name, outputs: 0..<shape.outputs,
                            offset: index * shape.outputs * shape.inputs, orientation: orientation)
                    }
                    found.append((parameter, parts))
                }
            } else if let parts = Self.single(parameter, of: inModel, modules, shape, base) {
                found.append((parameter, parts))
            }
        }
        guard found.count <= 1 else {
            throw .adapter(
                file: adapter,
                reason: "the factors of \(owner) fit more than one parameter of \(base.path), or fit one in two ways: "
                    + found.map(\.parameter).joined(separator: ", "))
        }
        guard let only = found.first else {
            throw .adapter(
                file: adapter,
                reason: "\(base.path) has no parameter of target_parameters in \(path) with \(modules.count) experts, "
                    + "\(shape.outputs) outputs and \(shape.inputs) inputs")
        }
        parts = only.parts
    }

    /// The last part of a parameter's name; nil where the parameter does not belong to this module.
    private static func parameter(_ name: String, of path: String) -> String? {
        guard let dot = name.lastIndex(of: ".") else { return nil }
        let module = name[..<dot]
        guard path == module || path.hasSuffix("." + module) else { return nil }
        return String(name[name.index(after: dot)...])
    }

    /// The models whose parameters are (experts × inputs × outputs).
    private static let modelsOfInputsFirst: Set<String> = ["gpt_oss", "llama4", "llama4_text"]

    private static func orientations(
        of dimensions: [Int], _ experts: Int, _ shape: ModuleShape, _ model: String?
    ) -> [LayerOrientation] {
        var found: [LayerOrientation] = []
        if dimensions == [experts, shape.outputs, shape.inputs] { found.append(.outputsFirst) }
        if dimensions == [experts, shape.inputs, shape.outputs] { found.append(.inputsFirst) }
        guard found.count == 2, let model else { return found }
        return [modelsOfInputsFirst.contains(model) ? .inputsFirst : .outputsFirst]
    }

    /// The layout with one matrix for each expert.
    private static func single(
        _ parameter: String, of path: String, _ modules: [AdapterFile.Module], _ shape: ModuleShape, _ base: Checkpoint
    ) -> [Part]? {
        guard let layouts = matrices[parameter] else { return nil }
        let mixtral =
            path.hasSuffix(".mlp.experts") ? path.dropLast("mlp.experts".count) + "block_sparse_moe.experts" : ""
        for matrices in layouts {
            for path in [path, String(mixtral)] where base["\(path).0.\(matrices[0]).weight"] != nil {
                let height = shape.outputs / matrices.count
                let dimensions = [height, shape.inputs]
                var parts: [Part] = []
                for (index, module) in modules.enumerated() {
                    for (place, matrix) in matrices.enumerated() {
                        let name = "\(path).\(index).\(matrix).weight"
                        guard base[name]?.shape == dimensions else { return nil }
                        parts.append(
                            Part(
                                module: module, tensor: name, outputs: place * height..<(place + 1) * height, offset: 0,
                                orientation: .outputsFirst))
                    }
                }
                return parts
            }
        }
        return nil
    }

    /// The names of a parameter's rows in models with matrices for each expert.
    private static let matrices = [
        "gate_up_proj": [["gate_proj", "up_proj"], ["w1", "w3"]],
        "down_proj": [["down_proj"], ["w2"]],
    ]
}
