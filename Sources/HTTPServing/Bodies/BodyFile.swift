import Crypto
import Foundation

/// A new file into which a request body is hashed and written, on a disk lane. It writes through the page cache, from
/// which the update is later summed.
actor BodyFile {
    nonisolated let executor: QueueExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
    private let path: String
    private let watch: (@Sendable (UnsafeRawBufferPointer) -> Void)?
    private var descriptor: Int32 = -1
    private var byteCount = 0
    private var writeBack = WriteBack()
    private var hasher = SHA256()

    /// - Parameter watch: called with the bytes as well.
    init(path: String, lane: QueueExecutor, watch: (@Sendable (UnsafeRawBufferPointer) -> Void)? = nil) {
        self.path = path
        self.watch = watch
        executor = lane
    }

    func create() throws(RequestBodyError) {
        descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw RequestBodyError(fileError: errno) }
    }

    /// - Returns: why the bytes could not be written.
    func append(_ block: MappedBuffer, _ count: Int) -> RequestBodyError? {
        let bytes = UnsafeRawBufferPointer(rebasing: block.bytes[..<count])
        byteCount += count
        do throws(RequestBodyError) {
            // The kernel gets its part first and writes it back while this queue hashes.
            try write(bytes)
        } catch {
            return error
        }
        hasher.update(bufferPointer: bytes)
        watch?(bytes)
        return nil
    }

    func finish(durably: Bool) throws(RequestBodyError) -> SavedBody {
        if durably, fdatasync(descriptor) != 0 { throw RequestBodyError(fileError: errno) }
        let failed = close(descriptor) != 0
        descriptor = -1
        guard !failed else { throw RequestBodyError(fileError: errno) }
        return SavedBody(byteCount: byteCount, sha256: Array(hasher.finalize()))
    }

    /// Deletes the file.
    func discard() {
        if descriptor >= 0 { close(descriptor) }
        descriptor = -1
        unlink(path)
    }

    private func write(_ bytes: UnsafeRawBufferPointer) throws(RequestBodyError) {
        var rest = bytes
        while !rest.isEmpty {
            let count = Foundation.write(descriptor, rest.baseAddress, rest.count)
            if count >= 0 {
                rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            } else if errno != EINTR {
                throw RequestBodyError(fileError: errno)
            }
        }
        writeBack.follow(to: byteCount, of: descriptor)
    }
}
