import DurableFiles

/// The body of a request, read in pieces and from any offset, because curl may send it twice.
struct UploadSource: ~Copyable {
    private enum Storage: ~Copyable {
        case bytes([UInt8])
        case file(OwnedFile)
    }

    private let storage: Storage
    /// The offset in its file at which the body begins.
    private let start: Int64
    let length: Int64
    private var position: Int64 = 0

    init?(_ body: FetchRequest.Body) throws(FetchError) {
        switch body {
        case .none: return nil
        case .bytes(let bytes): self.init(.bytes(bytes), start: 0, length: Int64(bytes.count))
        case .file(let path): try self.init(path, from: 0)
        case .rest(let path, let offset): try self.init(path, from: offset)
        }
    }

    private init(_ path: String, from offset: Int64) throws(FetchError) {
        let (file, length) = try FetchError.onFiles { () throws(FileError) in
            let file = try OwnedFile(path, for: .reading)
            return (file, try file.length)
        }
        let whole = Int64(length)
        guard (0...whole).contains(offset) else {
            throw .file(path: path, reason: "has \(whole) bytes and is to be sent from \(offset) on")
        }
        self.init(.file(file), start: offset, length: whole - offset)
    }

    private init(_ storage: consuming Storage, start: Int64, length: Int64) {
        self.storage = storage
        self.start = start
        self.length = length
    }

    /// Fills `buffer` with the next bytes; 0 at the end.
    mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws(FetchError) -> Int {
        let count = Int(min(Int64(buffer.count), length - position))
        guard count > 0 else { return 0 }
        let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
        let read: Int
        switch storage {
        case .bytes(let bytes):
            piece.copyBytes(from: bytes[Int(position)..<Int(position) + count])
            read = count
        case .file(let file):
            let place = Int(start + position)
            read = try FetchError.onFiles { () throws(FileError) in try file.read(into: piece, at: place) }
            guard read > 0 else { throw .file(path: file.path, reason: "became shorter while it was sent") }
        }
        position += Int64(read)
        return read
    }

    mutating func seek(to offset: Int64) -> Bool {
        guard (0...length).contains(offset) else { return false }
        position = offset
        return true
    }
}
