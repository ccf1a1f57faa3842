/// The format of a file that is no safetensors file, recognised by its first bytes.
///
/// A safetensors file begins with eight bytes for the length of its header. In most other files these bytes give an
/// absurd length. So this type looks only at files without a valid safetensors header.
package enum ForeignFormat: Sendable, Hashable, CaseIterable {
    case empty
    case torchArchive
    case numpyArchive
    case numpyArray
    case zip
    case pickle
    case gguf
    case ggml
    case hdf5
    case lfsPointer
    case markup
    case json
    case text
    case gzip
    case zstandard
    case xz
    case bzip2
    case tar

    /// - Parameter start: the first bytes of the file.
    /// - Returns: nil for an unknown format.
    init?(_ start: UnsafeRawBufferPointer) {
        guard !start.isEmpty else {
            self = .empty
            return
        }
        if let magic = Self.magics.first(where: { start.starts(with: $0.bytes) }) {
            self = magic.format == .zip ? Self.archive(start) : magic.format
        } else if start.count >= 262, start[257..<262].elementsEqual("ustar".utf8) {
            self = .tar
        } else if let format = Self.text(start) {
            self = format
        } else {
            return nil
        }
    }

    private static let magics: [(bytes: [UInt8], format: ForeignFormat)] = [
        ([0x50, 0x4B, 0x03, 0x04], .zip), ([0x50, 0x4B, 0x05, 0x06], .zip),
        // The second byte is the pickle's protocol; protocols before 2 have no mark.
        ([0x80, 0x02], .pickle), ([0x80, 0x03], .pickle), ([0x80, 0x04], .pickle), ([0x80, 0x05], .pickle),
        (Array("GGUF".utf8), .gguf), (Array("FUGG".utf8), .gguf),
        // Four-letter magic numbers, which little-endian machines write backwards: ggml, ggmf, ggjt, ggla.
        (Array("lmgg".utf8), .ggml), (Array("fmgg".utf8), .ggml), (Array("tjgg".utf8), .ggml),
        (Array("algg".utf8), .ggml),
        (Array("version https://git-lfs".utf8), .lfsPointer), (Array("version https://hawser".utf8), .lfsPointer),
        ([0x1F, 0x8B], .gzip), ([0x28, 0xB5, 0x2F, 0xFD], .zstandard), ([0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00], .xz),
        (Array("BZh".utf8), .bzip2), ([0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59], .numpyArray),
        ([0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A, 0x1A, 0x0A], .hdf5),
    ]

    /// The content of a ZIP archive, by the name of its first file.
    private static func archive(_ start: UnsafeRawBufferPointer) -> ForeignFormat {
        guard start.count >= 30 else { return .zip }
        let length = Int(start[26]) | Int(start[27]) << 8
        let name = start[30...].prefix(length)
        if name.suffix(4).elementsEqual(".npy".utf8) { return .numpyArchive }
        return name.suffix(8).elementsEqual("data.pkl".utf8) ? .torchArchive : .zip
    }

    private static func text(_ start: UnsafeRawBufferPointer) -> ForeignFormat? {
        let hasMark = start.starts(with: [0xEF, 0xBB, 0xBF])
        let some = start.prefix(256).dropFirst(hasMark ? 3 : 0)
        guard let first = some.first(where: { !isSpace($0) }) else { return nil }
        // A character of several bytes may be cut at the end.
        let isText = some.allSatisfy { $0 >= 0x20 && $0 != 0x7F || isSpace($0) }
        switch first {
        case UInt8(ascii: "<"): return isText ? .markup : nil
        case UInt8(ascii: "{"), UInt8(ascii: "["): return isText ? .json : nil
        default: return isText && some.allSatisfy { $0 < 0x80 } ? .text : nil
        }
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
}

extension ForeignFormat: CustomStringConvertible {
    /// The name of the format and, if known, how to make a safetensors file of it.
    package var description: String {
        switch self {
        case .empty: "the file is empty"
        case .torchArchive:
            "the file is a PyTorch archive (torch.save, such as adapter_model.bin); save the adapter with "
                + "save_pretrained(safe_serialization=True)"
        case .numpyArchive:
            "the file is an archive of NumPy arrays (.npz); save its arrays with safetensors.numpy.save_file"
        case .numpyArray: "the file is a NumPy array (.npy); save it with safetensors.numpy.save_file"
        case .zip: "the file is a ZIP archive"
        case .pickle:
            "the file is a Python pickle (torch.save before PyTorch 1.6, such as pytorch_model.bin); save the adapter with "
                + "save_pretrained(safe_serialization=True)"
        case .gguf: "the file is GGUF (llama.cpp); take the adapter that it was made from"
        case .ggml: "the file is GGML (llama.cpp before GGUF); take the adapter that it was made from"
        case .hdf5: "the file is HDF5 (Keras)"
        case .lfsPointer: "the file is a pointer of Git LFS, not what it points to; fetch that with git lfs pull"
        case .markup: "the file is an HTML or XML page, such as a server's answer in place of the file"
        case .json: "the file is JSON, such as a server's answer in place of the file"
        case .text: "the file is plain text, such as a server's answer in place of the file"
        case .gzip: "the file is compressed with gzip; unpack it"
        case .zstandard: "the file is compressed with Zstandard; unpack it"
        case .xz: "the file is compressed with xz; unpack it"
        case .bzip2: "the file is compressed with bzip2; unpack it"
        case .tar: "the file is a tar archive; unpack it"
        }
    }
}
