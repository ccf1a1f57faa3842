import AdapterFormat
import Aggregation
import Federation

/// A round's adapter in the store, as a source that is read and a sink that is written module by module.
///
/// Its calls block: use it on a queue of its own.
struct StoredAdapter: AdapterSource, AdapterSink, RoundSink {
    /// One part holds at most about this many numbers (4 MiB), so that reading and writing stay bounded.
    private static let partSize = 1 << 20

    let store: any AdapterStore
    let federation: FederationID
    let round: Int

    func factors(of module: ModuleShape, rank: Int) throws(StoreError) -> ModuleFactors? {
        let a = try rows(rank, of: .a, module.name)
        let b = try rows(rank, of: .b, module.name)
        guard a.count == rank * module.inputs, b.count == rank * module.outputs else { return nil }
        let bias = module.hasBias ? try rows(1, of: .bias, module.name) : nil
        return ModuleFactors(rank: rank, inputs: module.inputs, outputs: module.outputs, a: a, b: b, bias: bias)
    }

    func values(of tensor: AdapterShape.Dense) throws(StoreError) -> [Float]? {
        let values = try rows(1, of: .dense, tensor.name)
        return values.count == tensor.elementCount ? values : nil
    }

    func begin(_ outline: RoundOutline) {}

    func take(_ result: ModuleResult, of module: ModuleShape) throws(StoreError) {
        try take(result.factors, of: module)
    }

    func take(_ factors: ModuleFactors, of module: ModuleShape) throws(StoreError) {
        try write(factors.a, rows: factors.rank, as: .a, module.name)
        try write(factors.b, rows: factors.rank, as: .b, module.name)
        if let bias = factors.bias { try write(bias, rows: 1, as: .bias, module.name) }
    }

    func take(_ values: [Float], of tensor: AdapterShape.Dense) throws(StoreError) {
        try write(values, rows: 1, as: .dense, tensor.name)
    }

    private func rows(_ count: Int, of kind: AdapterTensor.Kind, _ name: String) throws(StoreError) -> [Float] {
        try store.rows(count, of: AdapterTensor(name: name, kind: kind), federation: federation, round: round)
    }

    private func write(_ values: [Float], rows: Int, as kind: AdapterTensor.Kind, _ name: String) throws(StoreError) {
        let tensor = AdapterTensor(name: name, kind: kind)
        let width = values.count / rows
        let step = max(1, Self.partSize / width)
        for first in stride(from: 0, to: rows, by: step) {
            let count = min(step, rows - first)
            let part = AdapterPart(
                tensor: tensor, firstRow: first, rowCount: count,
                values: count == rows ? values : Array(values[first * width..<(first + count) * width]))
            try store.append([part], of: federation, round: round)
        }
    }
}
