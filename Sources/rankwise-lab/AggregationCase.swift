import AdapterFormat
import Aggregation
import Foundation

/// One round's aggregation as a file describes it: `case.json`.
struct AggregationCase: Decodable {
    struct Update: Decodable {
        let file: String
        let samples: Int
        let scale: Double?
    }

    struct Scale: Decodable {
        let mode: String
        let value: Double?
        let alpha: Double?
    }

    let strategy: String
    /// R, for every module.
    let rank: Int
    let scaling: Scale
    let weighting: String
    /// In ascending client name.
    let updates: [Update]
    let previous: String?
    /// What the paths are relative to.
    private var folder = URL(filePath: FileManager.default.currentDirectoryPath)

    enum CodingKeys: String, CodingKey { case strategy, rank, scaling, weighting, updates, previous }

    init(path: String) throws {
        let url = URL(filePath: path)
        self = try JSONDecoder().decode(AggregationCase.self, from: Data(contentsOf: url))
        folder = url.deletingLastPathComponent()
    }

    init(
        strategy: String, rank: Int, scaling: Scale, weighting: String, updates: [Update], previous: String?
    ) {
        self.strategy = strategy
        self.rank = rank
        self.scaling = scaling
        self.weighting = weighting
        self.updates = updates
        self.previous = previous
    }

    /// Writes `adapter.safetensors` into a folder.
    func aggregate(threads: Int, type: String, into out: URL) throws {
        guard let type = ScalarType(rawValue: type), type.isPublishable else {
            throw CaseError("\(type) is not one of F32, F16 and BF16")
        }
        let strategy = try Strategy(named: strategy, weighting: weighting)
        let contributions = try updates.enumerated().map { index, update in
            Contribution(
                client: String(format: "%08d", index), adapter: try adapter(update.file), samples: update.samples,
                scale: update.scale)
        }
        let previous = try previous.map(adapter)
        let shape = try Self.shape(of: contributions.map(\.adapter) + [previous].compactMap(\.self), rank: rank, type)
        for (update, contribution) in zip(updates, contributions) {
            do throws(AdapterError) {
                try strategy.validate(contribution.adapter, shape: shape, ranks: [:])
            } catch {
                throw CaseError("\(update.file): \(error)")
            }
        }
        let aggregator = Aggregator(strategy: strategy, shape: shape, scaling: try federationScaling())
        let descriptor = open(out.appending(path: "adapter.safetensors").path, O_CREAT | O_TRUNC | O_WRONLY, 0o644)
        guard descriptor >= 0 else { throw SystemError.last("open \(out.path)/adapter.safetensors") }
        defer { close(descriptor) }
        var writer = try AdapterWriter(shape: shape, type: type, descriptor: descriptor)
        try aggregator.aggregate(contributions, previous: previous, threads: threads, into: &writer)
        try writer.finish()
    }

    private func adapter(_ file: String) throws -> AdapterFile {
        do {
            return try AdapterFile(SafetensorsFile(path: URL(filePath: file, relativeTo: folder).path))
        } catch {
            throw CaseError("\(file): \(error)")
        }
    }

    private func federationScaling() throws -> Scaling {
        switch (scaling.mode, scaling.value, scaling.alpha) {
        case ("constant", let value?, _): .constant(value)
        case ("lora", _, let alpha?): .lora(alpha: alpha)
        case ("rslora", _, let alpha?): .rslora(alpha: alpha)
        default: throw CaseError("the scaling is constant with a value, or lora or rslora with an alpha")
        }
    }

    /// Every module and tensor that any of the files holds, modules at the round's rank.
    private static func shape(of files: [AdapterFile], rank: Int, _ type: ScalarType) throws -> AdapterShape {
        var modules: [String: ModuleShape] = [:]
        var dense: [String: AdapterShape.Dense] = [:]
        for file in files {
            for module in file.modules.compactMap(\.shape) where modules[module.name] == nil {
                modules[module.name] = ModuleShape(
                    name: module.name, kind: module.kind, inputs: module.inputs, outputs: module.outputs,
                    maximumRank: rank, hasBias: module.hasBias)
            }
            for tensor in file.dense where dense[tensor.name] == nil {
                dense[tensor.name] = .init(name: tensor.name, shape: tensor.values.shape)
            }
        }
        return try AdapterShape(modules: Array(modules.values), dense: Array(dense.values), type: type)
    }
}

/// What is wrong with a case, in words.
struct CaseError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
