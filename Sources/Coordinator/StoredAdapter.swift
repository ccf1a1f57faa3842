import AdapterFormat
import Federation

/// What a round left in one slot of the store, as a source that is read and a sink that is written module by module.
///
/// Its calls block: use it on a queue of its own.
struct StoredAdapter: AdapterSource, AdapterSink {
    /// One part holds at most about this many numbers (4 MiB), so that reading and writing stay bounded.
    private static let partSize = 1 << 20

    let store: any AdapterStore
    let address: AdapterAddress

    /// What is there is given with its own rank, which differs between modules and may be above a module's maximum.
    func factors(of module: ModuleShape, rank: Int) throws(StoreError) -> ModuleFactors? {
        let a = try rows(rank, of: .a, module.name)
        let b = try rows(rank, of: .b, module.name)
        let bias = module.hasBias ? try rows(1, of: .bias, module.name) : []
        if a.isEmpty && b.isEmpty && bias.isEmpty { return nil }
        let found = a.count / module.inputs
        guard a.count == found * module.inputs, b.count == found * module.outputs,
            bias.isEmpty || bias.count == module.outputs
        else { throw .failed("\(module.name) of \(address) has factors of another size than its module") }
        return ModuleFactors(
            rank: found, inputs: module.inputs, outputs: module.outputs, a: a, b: b, bias: bias.isEmpty ? nil : bias)
    }

    func values(of tensor: AdapterShape.Dense) throws(StoreError) -> [Float]? {
        let values = try rows(1, of: .dense, tensor.name)
        return values.count == tensor.elementCount ? values : nil
    }

    /// The rank that is there of a module; 0 where it has none.
    func rank(of module: ModuleShape) throws(StoreError) -> Int {
        try store.rowCount(of: AdapterTensor(name: module.name, kind: .a), at: address)
    }

    /// Forgets all that is there.
    func remove() throws(StoreError) {
        try store.remove(address.slot, ofRounds: address.round...address.round, in: address.federation)
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
        try store.rows(count, of: AdapterTensor(name: name, kind: kind), at: address)
    }

    private func write(_ values: [Float], rows: Int, as kind: AdapterTensor.Kind, _ name: String) throws(StoreError) {
        guard rows > 0 else { return }
        let tensor = AdapterTensor(name: name, kind: kind)
        let width = values.count / rows
        let step = max(1, Self.partSize / width)
        for first in stride(from: 0, to: rows, by: step) {
            let count = min(step, rows - first)
            let part = AdapterPart(
                tensor: tensor, firstRow: first, rowCount: count,
                values: count == rows ? values : Array(values[first * width..<(first + count) * width]))
            try store.append([part], to: address)
        }
    }
}
