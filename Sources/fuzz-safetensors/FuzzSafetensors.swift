import AdapterFormat

/// The federation that every adapter of a fuzzing run is held against.
private let shape = try? AdapterShape(
    modules: [
        ModuleShape(name: "m", inputs: 3, outputs: 4, maximumRank: 2, hasBias: true),
        ModuleShape(name: "c", kind: .conv2d(height: 1, width: 2), inputs: 4, outputs: 2, maximumRank: 2),
        ModuleShape(name: "e", kind: .embedding, inputs: 3, outputs: 2, maximumRank: 2),
    ], dense: [.init(name: "d", shape: [2])])

/// Feeds bytes from outside to everything that reads adapters and parts of rounds: the safetensors readers, quantised
/// messages, and the checks behind them. What they refuse is fine; a trap, a hang or a read out of bounds is a finding.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzzOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = UnsafeRawBufferPointer(start: start, count: count)
    readAdapter(TensorStorage(copying: bytes))
    readAsItComes(bytes)
    readIntegers(bytes)
    return 0
}

/// The tensors of a part of a round lie within its file.
private func readIntegers(_ bytes: UnsafeRawBufferPointer) {
    guard let file = try? IntegerFile(bytes: Array(bytes)) else { return }
    for tensor in file.tensors {
        precondition(file.withBytes(of: tensor) { $0.count } == 8 * tensor.shape.reduce(1, *))
    }
}

/// What is vouched for on its way must be what the reader takes and finds sound.
private func readAsItComes(_ bytes: UnsafeRawBufferPointer) {
    var numbers = StreamingFiniteCheck(byteCount: bytes.count)
    let piece = 1 + bytes.count % 13
    for start in stride(from: 0, to: bytes.count, by: piece) {
        numbers.take(UnsafeRawBufferPointer(rebasing: bytes[start...].prefix(piece)))
    }
    guard numbers.isKnownFinite else { return }
    guard let file = try? SafetensorsFile(TensorStorage(copying: bytes)) else {
        preconditionFailure("vouched for what cannot be read")
    }
    precondition(file.tensors.allSatisfy { $0.count(beyond: AdapterFile.largestNumber) == 0 })
}

/// What is converted has a configuration that goes with its tensors.
private func convert(_ file: SafetensorsFile) {
    guard let conversion = try? AdapterConversion(.init(file, alpha: 1)) else { return }
    for adapter in conversion.adapters {
        guard let config = try? AdapterConfig(json: Array(adapter.config.json.utf8)) else {
            preconditionFailure("wrote a configuration that cannot be read")
        }
        precondition(adapter.modules.allSatisfy { config.rank(of: $0.name) == $0.maximumRank })
    }
}

private func readAdapter(_ storage: TensorStorage) {
    guard let file = try? SafetensorsFile(storage, limits: .init(headerBytes: 1 << 20, tensors: 1024)) else { return }
    for tensor in file.tensors {
        let numbers = tensor.floats()
        precondition(numbers.count == tensor.elementCount)
        precondition(tensor.notFiniteCount() == numbers.count { !$0.isFinite })
        guard let quantisation = tensor.quantisation else { continue }
        precondition(tensor.byteCount == quantisation.scales.count * quantisation.bytesPerRow)
        precondition(tensor.elementCount == quantisation.minima.count * quantisation.columns)
    }
    convert(file)
    guard let adapter = try? AdapterFile(file) else { return }
    for module in adapter.modules {
        guard let factors = ModuleFactors(module) else { continue }
        precondition(factors.prefix(rank: 1).b.count == factors.outputs)
    }
    _ = try? AdapterShape(template: adapter)
    if let shape { try? adapter.validate(against: shape, ranks: ["m": 1], messageBits: [.four, .eight]) }
}
