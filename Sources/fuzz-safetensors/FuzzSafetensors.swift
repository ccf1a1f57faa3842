import AdapterFormat

/// The federation that every adapter of a fuzzing run is held against.
private let shape = try? AdapterShape(
    modules: [
        ModuleShape(name: "m", inputs: 3, outputs: 4, maximumRank: 2, hasBias: true),
        ModuleShape(name: "c", kind: .conv2d(height: 1, width: 2), inputs: 4, outputs: 2, maximumRank: 2),
        ModuleShape(name: "e", kind: .embedding, inputs: 3, outputs: 2, maximumRank: 2),
    ], dense: [.init(name: "d", shape: [2])])

/// Feeds bytes from outside to everything that reads them: the safetensors reader, the adapter behind it and the reader of
/// `adapter_config.json`. What it refuses is fine; a trap, a hang or a read out of bounds is a finding.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzzOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = UnsafeRawBufferPointer(start: start, count: count)
    readConfig(bytes)
    readAdapter(TensorStorage(copying: bytes))
    return 0
}

private func readConfig(_ bytes: UnsafeRawBufferPointer) {
    guard let config = try? AdapterConfig(json: bytes) else { return }
    for module in ["m", "model.layers.0.self_attn.q_proj"] {
        precondition(config.rank(of: module) > 0)
        _ = config.scale(of: module)
    }
    // What was read can be written and read again.
    guard (try? AdapterConfig(json: Array(config.json.utf8))) == config else {
        preconditionFailure("a configuration reads differently once it is written")
    }
}

private func readAdapter(_ storage: TensorStorage) {
    guard let file = try? SafetensorsFile(storage, limits: .init(headerBytes: 1 << 20, tensors: 1024)) else { return }
    for tensor in file.tensors {
        precondition(tensor.floats().count == tensor.elementCount)
        _ = tensor.notFiniteCount()
    }
    guard let adapter = try? AdapterFile(file) else { return }
    for module in adapter.modules {
        guard let factors = ModuleFactors(module) else { continue }
        precondition(factors.prefix(rank: 1).b.count == factors.outputs)
    }
    _ = try? AdapterShape(template: adapter)
    if let shape { try? adapter.validate(against: shape, ranks: ["m": 1]) }
}
