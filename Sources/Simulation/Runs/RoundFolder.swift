package import AdapterFormat
package import Aggregation
import DurableFiles
package import Foundation

/// A round's results as files: `adapter.safetensors`, `merge.safetensors` if there is a merge, and
/// `moment-0.safetensors` and so on if the server has an optimizer.
package struct RoundFolder: RoundSink {
    private let folder: URL
    private let type: ScalarType
    private let momentCount: Int
    private var adapter: OutputFile?
    private var merge: OutputFile?
    private var moments: [OutputFile] = []

    package init(_ folder: URL, type: ScalarType, momentCount: Int = 0) {
        self.folder = folder
        self.type = type
        self.momentCount = momentCount
    }

    package mutating func begin(_ outline: RoundOutline) throws {
        adapter = try OutputFile(folder.appending(path: "adapter.safetensors"), shape: outline.shape, type: type)
        if momentCount > 0 {
            let shape = try AdapterShape(modules: outline.shape.modules, type: .f32)
            moments = try (0..<momentCount).map {
                try OutputFile(folder.appending(path: "moment-\($0).safetensors"), shape: shape, type: .f32)
            }
        }
        let merged = outline.shape.modules.filter { outline.mergeRanks[$0.name] != nil }
        guard !merged.isEmpty else { return }
        let shape = try AdapterShape(modules: merged, type: type).withRanks { module in
            outline.mergeRanks[module.name] ?? module.maximumRank
        }
        merge = try OutputFile(folder.appending(path: "merge.safetensors"), shape: shape, type: .f32)
    }

    package mutating func take(_ result: ModuleResult, of module: ModuleShape) throws {
        try adapter?.take(result.factors, of: module)
        if let stack = result.merge { try merge?.take(stack, of: module) }
        for (file, moment) in zip(moments, result.moments) { try file.take(moment, of: module) }
    }

    package mutating func take(_ values: [Float], of tensor: AdapterShape.Dense) throws {
        try adapter?.take(values, of: tensor)
    }

    package func finish() throws {
        try adapter?.finish()
        try merge?.finish()
        for moment in moments { try moment.finish() }
    }
}

/// An adapter file that is being written, with its descriptor.
private final class OutputFile {
    private let shape: AdapterShape
    private let file: OwnedFile
    private var writer: AdapterWriter?

    init(_ url: URL, shape: AdapterShape, type: ScalarType) throws {
        file = try OwnedFile(url.path, for: .replacing, mode: 0o644)
        self.shape = shape
        writer = try AdapterWriter(shape: shape, type: type, descriptor: file.number)
    }

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
