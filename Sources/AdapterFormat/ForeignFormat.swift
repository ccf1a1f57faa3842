/// Formats that people take for safetensors, known by their first bytes.
package enum ForeignFormat: String, Sendable, CaseIterable {
    case torchZip = "a ZIP archive, as torch.save and numpy.savez write it"
    case pickle = "a pickle, as old versions of torch write it"
    case gguf = "a GGUF file"
    case lfsPointer = "a Git LFS pointer: the file itself was not fetched (git lfs pull)"
    case html = "an HTML or XML page"
    case json = "a JSON text"
    case gzip = "a gzip archive"

    init?(_ start: UnsafeRawBufferPointer) {
        func begins(_ bytes: some Sequence<UInt8>) -> Bool { start.starts(with: bytes) }
        if begins([0x50, 0x4B, 0x03, 0x04]) {
            self = .torchZip
        } else if begins([0x80, 0x02]) || begins([0x80, 0x04]) || begins([0x80, 0x05]) {
            self = .pickle
        } else if begins("GGUF".utf8) {
            self = .gguf
        } else if begins("version https://git-lfs".utf8) {
            self = .lfsPointer
        } else if begins("<".utf8) || begins("\n<".utf8) || begins([0xEF, 0xBB, 0xBF, 0x3C]) {
            self = .html
        } else if begins("{".utf8), start.count > 8, start[8] != UInt8(ascii: "{") {
            self = .json
        } else if begins([0x1F, 0x8B]) {
            self = .gzip
        } else {
            return nil
        }
    }
}
