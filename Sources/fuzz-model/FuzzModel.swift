import AdapterFormat
import ModelFiles
import StrictJSON
import Tokenizers

/// The most numbers of a tensor that a run looks at.
private let numberLimit = 1 << 16

/// Feeds bytes from outside to everything that reads a language model's files: GGUF with its tokenizer, safetensors of a
/// whole model, `config.json` and the index of shards. What they refuse is fine; a trap, a hang or a read out of bounds is a
/// finding.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzzOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = UnsafeRawBufferPointer(start: start, count: count)
    if GGUFFile.isGGUF(bytes) {
        readGGUF(TensorStorage(copying: bytes))
    } else if bytes.first == UInt8(ascii: "{") {
        readDocuments(bytes)
    } else {
        readCheckpoint(TensorStorage(copying: bytes))
    }
    return 0
}

private func readGGUF(_ storage: TensorStorage) {
    guard let file = try? GGUFFile(storage, path: "model.gguf") else { return }
    for tensor in file.tensors {
        precondition(0 <= tensor.range.lowerBound && tensor.range.upperBound <= storage.count)
    }
    if let tokenizer = try? Tokenizer(file) { tryOut(tokenizer) }
    guard let configuration = try? ModelConfiguration(file), let tensors = try? file.tensors(of: configuration) else {
        return
    }
    for tensor in tensors.values where tensor.shape.reduce(1, *) <= numberLimit {
        precondition(tensor.floats().count == tensor.shape.reduce(1, *))
    }
}

private func readDocuments(_ bytes: UnsafeRawBufferPointer) {
    guard let document = try? JSONNode(parsing: bytes) else { return }
    _ = try? ModelConfiguration(config: document, file: "config.json")
    if let index = try? ShardIndex(document, file: "model.safetensors.index.json") {
        precondition(index.tensors.values.allSatisfy(index.files.indices.contains))
    }
}

private func readCheckpoint(_ storage: TensorStorage) {
    guard let file = try? CheckpointFile(storage) else { return }
    for tensor in file.tensors {
        precondition(0 <= tensor.range.lowerBound && tensor.range.upperBound <= storage.count)
    }
}

/// What a tokenizer encodes has ids of its own, and these have text.
private func tryOut(_ tokenizer: Tokenizer) {
    let ids = tokenizer.encode("a bé\u{0301} 1 <s>  日本\n🙂", marksEnds: true)
    precondition(ids.allSatisfy { 0 <= $0 && Int($0) < tokenizer.count })
    _ = tokenizer.decode(ids)
}
