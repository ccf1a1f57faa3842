import AdapterFormat
import AdapterOperations
import LinearAlgebra
import TrainingData

extension NativeTask {
    /// Writes the mean loss of all examples as one batch, and its gradient by every factor, as a safetensors file; blocks.
    ///
    /// The tensors are `loss` and `gradient.NAME`, where NAME is the factor's name in PEFT's files and in its shape there.
    ///
    /// - Parameters:
    ///   - adapter: path of an `adapter_model.safetensors`.
    ///   - scales: the factor of every module's product.
    package func writeGradients(
        adapter: String, scales: [String: Double], settings: TrainingSettings, to path: String
    ) throws(TrainingError) {
        try task.writeGradients(adapter: adapter, scales: scales, settings: settings, to: path)
    }
}

extension ModelTask {
    func writeGradients(
        adapter: String, scales: [String: Double], settings: TrainingSettings, to path: String
    ) throws(TrainingError) {
        let file = try ModelAdapter(path: adapter)
        let model = try base.model(
            try file.adapt(base.layers, scales: scales), dense: try file.dense(of: base), settings: settings,
            batchLimit: examples.count)
        let result = model.forward(examples, Array(0..<examples.count)[...])
        model.backward()
        var tensors: [(name: String, shape: [Int], values: [Float])] = [("loss", [1], [Float(result.meanLoss)])]
        for layer in model.layers {
            guard let lora = layer.lora else { continue }
            let shape = ModuleShape(
                name: layer.name, kind: layer.frozen.kind, inputs: layer.inputs, outputs: layer.outputs,
                maximumRank: lora.rank)
            let gradients = ModuleFactors(
                rank: lora.rank, inputs: layer.inputs, outputs: layer.outputs, a: Array(lora.a.gradient.floats),
                b: Array(lora.b.gradient.floats))
            tensors.append(("gradient." + shape.nameOfA.peft, shape.shapeOfA(rank: lora.rank), gradients.a))
            tensors.append(
                ("gradient." + shape.nameOfB.peft, shape.shapeOfB(rank: lora.rank), gradients.outputMajorB()))
        }
        try TrainingError.converting { () throws(AdapterFileError) in
            try WholeFile.replace(path) { descriptor in
                let layout = try SafetensorsLayout(
                    tensors: tensors.map { .init(name: $0.name, type: .f32, shape: $0.shape) })
                var writer = try SafetensorsWriter(layout: layout, descriptor: descriptor)
                for tensor in tensors { try writer.write(tensor.values, to: tensor.name) }
                try writer.finish()
            }
        }
    }
}
