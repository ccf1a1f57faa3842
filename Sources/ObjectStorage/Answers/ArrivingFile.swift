import Crypto
import DurableFiles
import HTTPFetching
import Synchronization

/// An object on its way into a local file: hashed as it comes, and named once it is whole.
final class ArrivingFile: FetchSink {
    private struct State {
        var byteCount = 0
        var hasher = SHA256()
    }

    private static let ending = ".part"

    private let path: String
    private let byteCount: Int
    private let hashes: Bool
    private let file: OwnedFile
    private let state = Mutex(State())

    init(path: String, byteCount: Int, hashes: Bool) throws(ObjectError) {
        self.path = path
        self.byteCount = byteCount
        self.hashes = hashes
        file = try ObjectError.onFiles { () throws(FileError) in
            try OwnedFile(path + Self.ending, for: .replacing)
        }
    }

    /// Deletes what has not been published.
    deinit { try? DurableFile.remove(path + Self.ending) }

    func begin(byteCount announced: Int64?) throws(FetchError) {
        state.withLock { $0 = State() }
        try FetchError.onFiles { () throws(FileError) in try file.truncate(to: 0) }
        guard announced.map({ $0 <= Int64(byteCount) }) ?? true else { throw .tooLarge(limit: Int64(byteCount)) }
    }

    func take(_ bytes: UnsafeRawBufferPointer) throws(FetchError) {
        let offset = state.withLock { $0.byteCount }
        guard bytes.count <= byteCount - offset else { throw .tooLarge(limit: Int64(byteCount)) }
        try FetchError.onFiles { () throws(FileError) in try file.write(bytes, at: offset) }
        state.withLock { state in
            state.byteCount += bytes.count
            if hashes { state.hasher.update(bufferPointer: bytes) }
        }
    }

    /// Throws `.damaged` unless all bytes came and have this digest, if there is one.
    func check(_ sha256: [UInt8]?) throws(ObjectError) {
        let (count, digest) = state.withLock { ($0.byteCount, Array($0.hasher.finalize())) }
        guard count == byteCount else { throw .damaged("\(count) bytes came and not \(byteCount)") }
        if let sha256, digest != sha256 {
            throw .damaged("the bytes' SHA-256 is \(hex(digest)) and not \(hex(sha256))")
        }
    }

    /// Gives the file its name.
    func publish() throws(ObjectError) {
        try ObjectError.onFiles { () throws(FileError) in try DurableFile.rename(path + Self.ending, to: path) }
    }
}

extension ObjectError {
    /// Runs work on files, whose failure is the call's.
    static func onFiles<Value>(_ work: () throws(FileError) -> Value) throws(ObjectError) -> Value {
        do throws(FileError) {
            return try work()
        } catch {
            throw error.reason == .full ? .noRoom(path: error.path) : .file(path: error.path, reason: error.text)
        }
    }
}
