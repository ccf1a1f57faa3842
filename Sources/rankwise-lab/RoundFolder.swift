import AdapterFormat
import Aggregation
import Foundation

/// What a round publishes, as files: `adapter.safetensors`, and `merge.safetensors` where there is a merge.
struct RoundFolder: RoundSink {
    private let folder: URL
    private let type: ScalarType
    private var adapter: OutputFile?
    private var merge: OutputFile?

    init(_ folder: URL, type: ScalarType) {
        self.folder = folder
        self.type = type
    }

    mutating func begin(_ outline: RoundOutline) throws {
        adapter = try OutputFile(folder.appending(path: "adapter.safetensors"), shape: outline.shape, type: type)
        let merged = outline.shape.modules.filter { outline.mergeRanks[$0.name] != nil }
        guard !merged.isEmpty else { return }
        let shape = try AdapterShape(modules: merged, type: type).withRanks { module in
            outline.mergeRanks[module.name] ?? module.maximumRank
        }
        merge = try OutputFile(folder.appending(path: "merge.safetensors"), shape: shape, type: .f32)
    }

    mutating func take(_ result: ModuleResult, of module: ModuleShape) throws {
        try adapter?.take(result.factors, of: module)
        if let stack = result.merge { try merge?.take(stack, of: module) }
    }

    mutating func take(_ values: [Float], of tensor: AdapterShape.Dense) throws {
        try adapter?.take(values, of: tensor)
    }

    func finish() throws {
        try adapter?.finish()
        try merge?.finish()
    }
}

/// An adapter file in the making with its descriptor.
private final class OutputFile {
    private let shape: AdapterShape
    private let descriptor: Int32
    private var writer: AdapterWriter?

    init(_ url: URL, shape: AdapterShape, type: ScalarType) throws {
        descriptor = open(url.path, O_CREAT | O_TRUNC | O_WRONLY, 0o644)
        guard descriptor >= 0 else { throw SystemError.last("open \(url.path)") }
        self.shape = shape
        writer = try AdapterWriter(shape: shape, type: type, descriptor: descriptor)
    }

    deinit { close(descriptor) }

    func take(_ factors: ModuleFactors, of module: ModuleShape) throws {
        try writer?.take(factors, of: shape[module: module.name] ?? module)
    }

    func take(_ stack: StackedFactors, of module: ModuleShape) throws {
        try writer?.take(stack, of: shape[module: module.name] ?? module)
    }

    func take(_ values: [Float], of tensor: AdapterShape.Dense) throws {
        try writer?.take(values, of: tensor)
    }

    func finish() throws {
        if let writer = writer.take() { try writer.finish() }
    }
}
