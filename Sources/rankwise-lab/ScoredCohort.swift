import AdapterFormat
import DurableFiles
import Foundation
import LinearAlgebra
import Training

/// Adapters of a benchmark's clients, drawn for a model. They are drawn from a seed, so the same settings give the same
/// bytes.
struct ScoredCohort {
    let folder: String
    /// The ranks, used in turn.
    let ranks: [Int]
    let seed: UInt64

    /// Writes the adapters, for the layers that adapters of the model usually change.
    func prepare(_ count: Int, _ options: ScoringOptions) throws -> (NativeTask, [ScoredAdapter]) {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let (model, task) = try ModelRegistry.model(options.source, data: options.data)
        let layers = model.usualLayers
        let dense = model.dense.map { AdapterShape.Dense(name: $0, shape: $1) }
        let scales = Dictionary(uniqueKeysWithValues: layers.map { ($0.name, 2.0) })
        let adapters = try (0..<count).map { client in
            let rank = ranks[client % ranks.count]
            let shape = try AdapterShape(
                modules: layers.map {
                    ModuleShape(
                        name: $0.name, kind: $0.kind, inputs: $0.inputs, outputs: $0.outputs, maximumRank: rank)
                }, dense: dense)
            let path = "\(folder)/\(client).safetensors"
            try write(shape, client: client, to: path)
            return ScoredAdapter(path: path, scales: scales)
        }
        return (task, adapters)
    }

    private func write(_ shape: AdapterShape, client: Int, to path: String) throws {
        let file = try OwnedFile(path, for: .replacing, mode: 0o644)
        var generator = SeededGenerator(seed: seed, stream: "bench score", String(client))
        var writer = try AdapterWriter(shape: shape, descriptor: file.number)
        for module in shape.modules {
            var factors = ModuleFactors(zeroOf: module, rank: module.maximumRank)
            let bound = 1 / Float(module.inputs).squareRoot()
            for index in factors.a.indices { factors.a[index] = generator.uniform(within: bound) }
            for index in factors.b.indices { factors.b[index] = generator.uniform(within: 0.04) }
            try writer.take(factors, of: module)
        }
        for tensor in shape.dense {
            try writer.take((0..<tensor.elementCount).map { _ in generator.uniform(within: 0.1) }, of: tensor)
        }
        try writer.finish()
        withExtendedLifetime(file) {}
    }
}
