import AdapterFormat
import Foundation

@testable import Aggregation

enum Fixtures {
    static let vectors = Bundle.module.bundleURL.appending(path: "Fixtures/vectors")
}

/// An adapter in memory, as source and as sink.
struct MemoryAdapter: AdapterSource, Equatable {
    var modules: [String: ModuleFactors] = [:]
    var dense: [String: [Float]] = [:]

    func factors(of module: ModuleShape, rank: Int) -> ModuleFactors? {
        modules[module.name].map { $0.prefix(rank: min(rank, $0.rank)) }
    }
    func values(of tensor: AdapterShape.Dense) -> [Float]? { dense[tensor.name] }
}

/// What a round published, in memory.
struct MemoryRound: RoundSink, Equatable {
    var outline: RoundOutline?
    var adapter = MemoryAdapter()
    var merge: [String: ModuleFactors] = [:]
    var moments: [MemoryAdapter] = []

    mutating func begin(_ outline: RoundOutline) { self.outline = outline }

    mutating func take(_ result: ModuleResult, of module: ModuleShape) {
        adapter.modules[module.name] = result.factors
        merge[module.name] = result.merge?.factors
        for (index, moment) in result.moments.enumerated() {
            if moments.count == index { moments.append(MemoryAdapter()) }
            moments[index].modules[module.name] = moment
        }
    }

    mutating func take(_ values: [Float], of tensor: AdapterShape.Dense) { adapter.dense[tensor.name] = values }
}

/// A safetensors file in memory.
func adapterFile(_ tensors: [(name: String, shape: [Int], values: [Float])], type: ScalarType = .f32) throws
    -> AdapterFile
{
    let layout = try SafetensorsLayout(tensors: tensors.map { .init(name: $0.name, type: type, shape: $0.shape) })
    var bytes = layout.head
    for tensor in layout.tensors {
        let values = tensors.first { $0.name == tensor.name }?.values ?? []
        var encoded = [UInt8](repeating: 0, count: values.count * type.byteCount)
        values.withUnsafeBufferPointer { values in encoded.withUnsafeMutableBytes { type.encode(values, into: $0) } }
        bytes += encoded
    }
    return try AdapterFile(SafetensorsFile(bytes: bytes))
}
