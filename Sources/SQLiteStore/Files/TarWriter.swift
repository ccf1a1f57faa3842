import DurableFiles

/// Writes files one after the other to a POSIX tar archive (ustar), which `tar -x` unpacks.
struct TarWriter {
    /// Why the archive cannot be written.
    enum Failure: Error, CustomStringConvertible {
        case nameTooLong(String)
        /// A file's length changed while it was written.
        case lengthChanged(String, found: Int, expected: Int)

        var description: String {
            switch self {
            case .nameTooLong(let name): "\(name) is longer than the 100 bytes that an archive's names have"
            case .lengthChanged(let name, let found, let expected):
                "\(name) had \(expected) bytes and then \(found)"
            }
        }
    }

    private static let blockSize = 512
    private let file: OwnedFile

    init(to file: OwnedFile) { self.file = file }

    /// Adds a folder that only its owner can use.
    func addFolder(_ name: String, modified: Int) throws {
        try write(Self.header(of: name + "/", byteCount: 0, modified: modified, isFolder: true))
    }

    /// Adds the content of `source` as a file that only its owner can use.
    func add(_ source: OwnedFile, as name: String, byteCount: Int, modified: Int) throws {
        try write(Self.header(of: name, byteCount: byteCount, modified: modified, isFolder: false))
        var written = 0
        try source.readAll { bytes throws(FileError) in
            written += bytes.count
            if written <= byteCount { try file.write(bytes) }
        }
        guard written == byteCount else { throw Failure.lengthChanged(name, found: written, expected: byteCount) }
        try write([UInt8](repeating: 0, count: (Self.blockSize - byteCount % Self.blockSize) % Self.blockSize))
    }

    /// Writes the archive's end and makes it durable.
    func finish() throws {
        try write([UInt8](repeating: 0, count: 2 * Self.blockSize))
        try file.sync()
    }

    private func write(_ bytes: [UInt8]) throws {
        try file.write(bytes)
    }

    /// One block: name, mode, owner, length, time, checksum, kind, all in octal digits.
    static func header(of name: String, byteCount: Int, modified: Int, isFolder: Bool) throws(Failure) -> [UInt8] {
        let nameBytes = Array(name.utf8)
        guard nameBytes.count <= 100 else { throw .nameTooLong(name) }
        var block = [UInt8](repeating: 0, count: blockSize)
        func put(_ bytes: some Collection<UInt8>, at offset: Int) {
            block.replaceSubrange(offset..<offset + bytes.count, with: bytes)
        }
        put(nameBytes, at: 0)
        put(octal(isFolder ? 0o700 : 0o600, digits: 7), at: 100)
        put(octal(0, digits: 7), at: 108)
        put(octal(0, digits: 7), at: 116)
        put(length(byteCount), at: 124)
        put(octal(max(0, modified), digits: 11), at: 136)
        put([UInt8](repeating: 0x20, count: 8), at: 148)
        put([UInt8(ascii: isFolder ? "5" : "0")], at: 156)
        put(Array("ustar\u{0}00".utf8), at: 257)
        let sum = block.reduce(0) { $0 + Int($1) }
        put(octal(sum, digits: 6) + [0, 0x20], at: 148)
        return block
    }

    /// Eleven octal digits reach 8 GiB. A longer length is written in binary, as in GNU tar.
    private static func length(_ byteCount: Int) -> [UInt8] {
        guard byteCount >= 1 << 33 else { return octal(byteCount, digits: 11) }
        let bytes = withUnsafeBytes(of: Int64(byteCount).bigEndian) { Array($0) }
        return [0x80, 0, 0, 0] + bytes
    }

    private static func octal(_ value: Int, digits: Int) -> [UInt8] {
        let text = Array(String(value, radix: 8).utf8.suffix(digits))
        return [UInt8](repeating: UInt8(ascii: "0"), count: digits - text.count) + text
    }
}
