package import AdapterFormat
import Foundation

/// A model's weights with an adapter added to them: W + scale·B·A.
package enum MergedWeights {
    /// Writes every tensor of the model at `base`, with the adapter's product added where it has one and its dense tensors
    /// in place of the model's; blocks. One tensor is in memory at a time.
    ///
    /// A module is looked up as `MODULE.weight`, else as the only tensor whose name either ends the other's at a point: a
    /// checkpoint often lacks, or has, the prefix under which its classifier keeps the encoder. Tensors of whole numbers, such
    /// as a BERT's position numbers, are left out: no weight is one.
    package static func write(
        base: String, adapter: String, configuration: AdapterConfig, to path: String
    ) throws(TrainingError) {
        let weights: SafetensorsFile
        let added: AdapterFile
        do {
            weights = try SafetensorsFile(path: base, passesOver: true)
        } catch {
            throw .file(base, reason: "\(error)")
        }
        added = try AdapterFile(trainingFile: adapter, checked: true)
        let names = Set(weights.tensors.map(\.name))
        var modules: [String: AdapterFile.Module] = [:]
        for module in added.modules {
            guard let name = find(module.name + ".weight", among: names), ModuleFactors(module) != nil else {
                throw .adapter(
                    file: adapter, reason: "\(base) has no weight, or it no whole factors, of \(module.name)")
            }
            modules[name] = module
        }
        var dense: [String: [Float]] = [:]
        var layout: [String: SafetensorsLayout.Tensor] = [:]
        for tensor in weights.tensors {
            layout[tensor.name] = .init(name: tensor.name, type: .f32, shape: tensor.shape)
        }
        for tensor in added.dense {
            if let reason = objection(to: tensor.name) {
                throw .adapter(file: adapter, reason: "\(tensor.name) \(reason)")
            }
            // PEFT names what it has wrapped so; in the model it is the module's own.
            let whole = tensor.name.replacingOccurrences(of: ".base_layer.", with: ".")
            let name = find(whole, among: names) ?? whole
            dense[name] = tensor.values.floats()
            layout[name] = .init(name: name, type: .f32, shape: tensor.values.shape)
        }
        try WholeFile.replace(path) { descriptor in
            let ordered = try SafetensorsLayout(tensors: Array(layout.values))
            var writer = try SafetensorsWriter(layout: ordered, descriptor: descriptor)
            for (name, values) in dense.sorted(by: { $0.key < $1.key }) { try writer.write(values, to: name) }
            for tensor in weights.tensors where dense[tensor.name] == nil {
                var values = tensor.floats()
                if let module = modules[tensor.name] {
                    // A table has a row for each input, and so have the weights of GPT-2's layers, but not its head's.
                    let isTransposed =
                        module.isEmbedding
                        || configuration.further["fan_in_fan_out"] == "true"
                            && tensor.shape.first == module.shape?.inputs
                    try add(
                        module, scale: configuration.scale(of: module.name), isTransposed: isTransposed, to: &values,
                        of: tensor.shape, adapter: adapter)
                }
                try writer.write(values, to: tensor.name)
            }
            try writer.finish()
        }
    }

    /// Why a tensor beside the factors cannot take the place of one of the model's; nil where it can.
    private static func objection(to name: String) -> String? {
        if name.hasSuffix(TensorName.magnitude) {
            return "is DoRA's: merging it needs the whole weight's norms; PEFT merges it"
        }
        if name.hasSuffix(TensorName.trainedTokens) { return "has some rows of an embedding alone; PEFT merges it" }
        return TensorName.objection(toDense: name)
    }

    private static func add(
        _ module: AdapterFile.Module, scale: Double, isTransposed: Bool, to values: inout [Float], of shape: [Int],
        adapter: String
    ) throws(TrainingError) {
        guard let factors = ModuleFactors(module), factors.bias == nil,
            values.count == factors.outputs * factors.inputs,
            shape.first == (isTransposed ? factors.inputs : factors.outputs)
        else {
            throw .adapter(file: adapter, reason: "\(module.name) has a bias or another size than the model's weight")
        }
        let (rowStep, columnStep) = isTransposed ? (1, factors.outputs) : (factors.inputs, 1)
        let (a, b) = (factors.a, factors.b)
        for component in 0..<factors.rank {
            for output in 0..<factors.outputs {
                let factor = Float(scale) * b[component * factors.outputs + output]
                for input in 0..<factors.inputs {
                    values[output * rowStep + input * columnStep] += factor * a[component * factors.inputs + input]
                }
            }
        }
    }

    private static func find(_ name: String, among names: Set<String>) -> String? {
        if names.contains(name) { return name }
        let found = names.filter { name.hasSuffix("." + $0) || $0.hasSuffix("." + name) }
        return found.count == 1 ? found.first : nil
    }
}
