import AdapterFormat
import Federation

/// A round's content of one slot of the store, as a source that is read module by module.
///
/// Its calls block: use it on a queue of its own.
struct StoredAdapter: AdapterSource {
    let store: any AdapterStore
    let address: AdapterAddress

    init(_ slot: AdapterSlot, of federation: FederationID, round: Int, in store: any AdapterStore) {
        self.store = store
        address = AdapterAddress(federation: federation, round: round, slot: slot)
    }

    /// Returns the stored factors at their own rank, which differs between modules and may exceed a module's maximum.
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

    /// The stored rank of a module; 0 where it has none.
    func rank(of module: ModuleShape) throws(StoreError) -> Int {
        try store.rowCount(of: AdapterTensor(name: module.name, kind: .a), at: address)
    }

    /// Deletes the content of the slot.
    func remove(under lease: Lease?) throws(StoreError) {
        try store.remove(
            address.slot, ofRounds: address.round...address.round, in: address.federation, under: lease)
    }

    /// Whether a dense tensor is stored.
    func holds(_ tensor: AdapterShape.Dense) throws(StoreError) -> Bool {
        try store.rowCount(of: AdapterTensor(name: tensor.name, kind: .dense), at: address) > 0
    }

    private func rows(_ count: Int, of kind: AdapterTensor.Kind, _ name: String) throws(StoreError) -> [Float] {
        try store.rows(count, of: AdapterTensor(name: name, kind: kind), at: address)
    }
}
