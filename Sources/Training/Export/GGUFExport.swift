package import AdapterFormat
package import AdapterOperations
import LinearAlgebra
import ModelFiles

/// Writes what was trained on a language model as GGUF files, which llama.cpp reads.
package enum GGUFExport {
    /// Writes an adapter as llama.cpp's LoRA: `NAME.weight.lora_a` (rank × inputs) and `…lora_b` (outputs × rank) in F32, under
    /// GGUF's names and in GGUF's order of rows. llama.cpp adds alpha / rank · B·A; alpha is 1, and B takes up the rest.
    ///
    /// - Parameters:
    ///   - adapter: path of an `adapter_model.safetensors`.
    ///   - base: a language model's folder or GGUF file.
    package static func writeAdapter(
        _ adapter: String, _ configuration: AdapterConfig, base: String, to path: String
    ) throws(AdapterFileError) {
        let model = try opened(base)
        let modules = try modules(adapter, configuration, of: model)
        var keys = GGUFWriter.Keys()
        keys.add("general.type", "adapter")
        keys.add("general.architecture", model.configuration.architecture.rawValue)
        keys.add("general.name", "rankwise adapter")
        keys.add("adapter.type", "lora")
        keys.add("adapter.lora.alpha", 1)
        var tensors: [GGUFWriter.Tensor] = []
        for module in modules {
            let (name, factors) = (GGUFName.name(of: module.name + ".weight"), module.factors)
            tensors.append(.init(name: name + ".lora_a", shape: [factors.rank, factors.inputs], type: .f32))
            tensors.append(.init(name: name + ".lora_b", shape: [factors.outputs, factors.rank], type: .f32))
        }
        try WholeFile.replace(path) { descriptor in
            var writer = try GGUFWriter(keys, tensors, descriptor: descriptor)
            for module in modules {
                let (factors, scale) = (module.factors, Float(module.scale * Double(module.factors.rank)))
                try writer.write(factors.a)
                try writer.write(
                    placed(factors.outputMajorB().map { $0 * scale }, columns: factors.rank, module.name, model))
            }
            writer.finish()
        }
    }

    /// Writes a GGUF model with the adapter merged into it. Tensors that it does not change stay as they are; the others
    /// become F16, or stay F32 or BF16 where they are. Merges are computed in F32 and rounded once.
    ///
    /// - Parameter base: a GGUF file.
    package static func writeMerged(
        _ adapter: String, _ configuration: AdapterConfig, base: String, to path: String
    ) throws(AdapterFileError) {
        let model = try opened(base)
        guard case .gguf(let file) = model.tokenizer else {
            throw .file(base, reason: "it is no GGUF file")
        }
        let modules = Dictionary(
            try modules(adapter, configuration, of: model).map { (GGUFName.name(of: $0.name + ".weight"), $0) }
        ) { first, _ in first }
        let tensors = file.tensors.map { tensor in
            let isPlain = tensor.type.blockLength == 1
            let type = modules[tensor.name] == nil || isPlain ? tensor.type : .f16
            return GGUFWriter.Tensor(name: tensor.name, shape: tensor.shape, type: type)
        }
        try WholeFile.replace(path) { descriptor in
            var writer = try GGUFWriter(
                .init(of: file), tensors, alignment: file.alignment, descriptor: descriptor)
            for tensor in file.tensors {
                guard let module = modules[tensor.name], let weight = model.tensor(module.name + ".weight") else {
                    try file.withBytes(of: tensor) { try writer.write(bytes: $0) }
                    continue
                }
                let sum = FloatBlock(count: weight.rows * weight.columns)
                let matrix = sum.matrix(rows: weight.rows, columns: weight.columns)
                weight.read(rows: 0..<weight.rows, into: matrix.base)
                let factors = module.factors
                factors.a.withUnsafeBufferPointer { a in
                    factors.b.withUnsafeBufferPointer { b in
                        MatrixProduct.accumulate(
                            into: matrix, keep: 1, scale: Float(module.scale),
                            MatrixView(b, rows: factors.rank, columns: factors.outputs), .transposed,
                            MatrixView(a, rows: factors.rank, columns: factors.inputs), .asGiven)
                    }
                }
                try writer.write(placed(Array(sum.floats), columns: weight.columns, module.name, model))
            }
            writer.finish()
        }
    }

    private struct Module {
        let name: String
        let scale: Double
        let factors: ModuleFactors
    }

    private static func opened(_ base: String) throws(AdapterFileError) -> ModelFile {
        do throws(ModelFileError) { return try ModelFile(path: base) } catch { throw .file(base, reason: "\(error)") }
    }

    /// The adapter's modules, each held against the model's layer.
    private static func modules(
        _ adapter: String, _ configuration: AdapterConfig, of model: ModelFile
    ) throws(AdapterFileError) -> [Module] {
        let file = try AdapterFile(path: adapter)
        let scales = try configuration.nativeScales(of: file, at: adapter)
        if let tensor = file.dense.first {
            throw .adapter(file: adapter, reason: "it holds \(tensor.name), which llama.cpp's files have no place for")
        }
        let shapes = Dictionary(model.configuration.tensors.map { ($0.name, $0.shape) }) { first, _ in first }
        var modules: [Module] = []
        for module in file.modules {
            guard let shape = module.shape, let factors = ModuleFactors(module), shape.kind == .linear, !shape.hasBias
            else { throw .adapter(file: adapter, reason: "\(module.name) is more than two factors of a linear layer") }
            guard let own = shapes[module.name + ".weight"], own.count == 2 else {
                throw .adapter(file: adapter, reason: "it adapts \(module.name), which the model has not")
            }
            guard own == [factors.outputs, factors.inputs] else {
                throw .adapter(
                    file: adapter,
                    reason:
                        "\(module.name) is \(factors.outputs) × \(factors.inputs); the model's is \(own[0]) × \(own[1])"
                )
            }
            modules.append(Module(name: module.name, scale: scales[module.name] ?? 1, factors: factors))
        }
        return modules
    }

    /// Rows in the order of GGUF.
    private static func placed(_ rows: [Float], columns: Int, _ module: String, _ model: ModelFile) -> [Float] {
        let places = ModelTensor.ggufPlaces(rows: rows.count / columns, of: module, in: model.configuration)
        var placed = rows
        for (row, place) in places.enumerated() where row != place {
            placed.replaceSubrange(
                place * columns..<(place + 1) * columns, with: rows[row * columns..<(row + 1) * columns])
        }
        return placed
    }
}
