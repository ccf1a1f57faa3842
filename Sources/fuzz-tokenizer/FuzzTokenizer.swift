import Tokenizers

/// Feeds bytes from outside to the reader of `tokenizer.json`. What it refuses is fine; a trap or a hang is a finding, and so
/// is an id that the tokenizer does not have.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzzOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = UnsafeRawBufferPointer(start: start, count: count)
    guard let tokenizer = try? Tokenizer(json: bytes, file: "tokenizer.json") else { return 0 }
    for text in ["a bé\u{0301} 1 <s>  日本\n🙂", "", " \u{2581}x", "<|im_start|>user\nHello, world's 123"] {
        let ids = tokenizer.encode(text, marksEnds: true)
        precondition(ids.allSatisfy { 0 <= $0 && Int($0) < tokenizer.count })
        _ = tokenizer.decode(ids)
        _ = tokenizer.decode(ids, skipsSpecial: true)
    }
    return 0
}
